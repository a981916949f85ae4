"""Bad arguments fail when they are given, with a message that says what to write."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import (
    Agent,
    AgentSession,
    AntiphonError,
    ChatContext,
    SessionConnectOptions,
    UsageError,
    function_tool,
    llm,
    mcp,
    stt,
    tts,
)
from antiphon.nodes.local.llm import LLM as Brain
from antiphon.nodes.local.vad import WebRTCVAD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


def session(**arguments: Any) -> AgentSession[Any]:
    return AgentSession(**{"vad": None, **arguments})


def agent(**arguments: Any) -> Agent:
    return Agent(**{"instructions": "", **arguments})


def turns(**options: Any) -> dict[str, Any]:
    return {"turn_handling": options}


async def plain(city: str) -> str:
    """No tool yet."""
    return city


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return city


@function_tool(name="weather")
async def forecast(city: str) -> str:
    """Tell the weather, too."""
    return city


class Shelf(llm.Toolset):
    """A toolset with one tool."""

    def __init__(self) -> None:
        super().__init__(id="shelf", tools=[weather])


class Realtime(llm.RealtimeModel):
    """Enough of one to be given."""

    def __init__(self) -> None: ...

    def session(self, *, turn_detection_disabled: bool = False) -> Any: ...

    async def aclose(self) -> None: ...


MODELS: list[tuple[dict[str, Any], str]] = [
    ({"llm": Brain}, r"llm=LLM: that is the class; write llm=LLM\(…\)"),
    ({"tts": Brain()}, "for another slot; write it as llm="),
    ({"stt": Brain}, "for another slot; write it as llm="),
    ({"llm": WebRTCVAD()}, "for another slot; write it as vad="),
    ({"vad": 3}, r"vad=3: write VAD"),
    ({"stt": object()}, 'write STT, "provider/model", or "local/…"'),
    ({"llm": b"local/brain"}, 'write LLM, "provider/model"'),
    ({"stt": types.ModuleType("plugins.deepgram")}, r"a module; write stt=deepgram\.STT\(…\)"),
    ({"stt": Realtime()}, "for another slot; write it as llm="),
    ({"llm": "brain"}, "llm='brain' names no model: write \"provider/model\""),
    ({"vad": "silero"}, 'the built-in one is "local/webrtcvad"'),
]


@pytest.mark.parametrize("make", [session, agent])
@pytest.mark.parametrize(("arguments", "message"), MODELS)
def test_what_is_no_model_for_a_slot_is_refused(
    make: Callable[..., object], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make(**arguments)


TURNS: list[tuple[dict[str, Any], str]] = [
    (turns(endpointing={"min_delay": -1}), r"\['min_delay'\]=-1: write seconds"),
    (turns(endpointing={"min_delay": True}), "write seconds"),
    (turns(endpointing={"max_delay": float("nan")}), "write seconds"),
    (turns(endpointing={"max_delay": "3"}), "write seconds"),
    (turns(endpointing={"min_delay": 2.0, "max_delay": 1.0}), r"write max_delay=2\.0 or more"),
    (turns(endpointing={"mode": "dynamc"}), "write 'fixed' or 'dynamic'"),
    (turns(endpointing={"alpha": 1.5}), "a number between 0 and 1"),
    (turns(endpointing={"min_dealy": 1}), "has no 'min_dealy'; did you mean 'min_delay'?"),
    (turns(endpointing=0.5), r"write a dictionary with 'mode', 'min_delay'"),
    (turns(interuption={}), "did you mean 'interruption'?"),
    (turns(interruption={"enabled": "no"}), "write True or False"),
    (turns(interruption={"mode": "words"}), "write 'adaptive' or 'vad'"),
    (turns(interruption={"min_words": 1.5}), "write a whole number"),
    (turns(interruption={"backchannel_boundary": (1.0, -1.0)}), "write seconds"),
    (turns(preemptive_generation=True), "write a dictionary with 'enabled'"),
    (turns(user_turn_limit={"max_words": -5}), "write a whole number"),
    (turns(turn_detection="sst"), "write 'stt' or 'vad' or 'realtime_llm' or 'manual'"),
    (turns(turn_detection=WebRTCVAD), "that is the class"),
    ({"turn_handling": "manual"}, "turn_handling='manual': write a dictionary"),
    ({"tool_handling": {"async_option": {}}}, "did you mean 'async_options'?"),
    ({"expressive": {"speech_stearing": 1}}, "did you mean 'speech_steering'?"),
    ({"min_consecutive_speech_delay": -0.1}, "write seconds"),
    ({"use_tts_aligned_transcript": "yes"}, "write True or False"),
]


@pytest.mark.parametrize("make", [session, agent])
@pytest.mark.parametrize(("arguments", "message"), TURNS)
def test_what_is_no_option_is_refused_where_it_stands(
    make: Callable[..., object], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make(**arguments)


OF_SESSIONS: list[tuple[dict[str, Any], str]] = [
    ({"max_tool_steps": -1}, "max_tool_steps=-1: write a whole number"),
    ({"user_away_timeout": "15"}, "user_away_timeout='15': write seconds"),
    ({"transcription_timeout": -2}, "write seconds"),
    ({"aec_warmup_duration": -2}, "write seconds"),
    ({"session_close_transcript_timeout": None}, "write seconds"),
    ({"ivr_detection": 1}, "write True or False"),
    ({"video_sampler": 1.0}, "write a function of a frame and the session"),
    ({"conn_options": {"max_retry": 1}}, r"write SessionConnectOptions\(…\)"),
    ({"stt_context_options": {"keyterms": "Acme"}}, "write a list of str"),
    ({"stt_context_options": {"keyterm": ["Acme"]}}, "did you mean 'keyterms'?"),
    ({"stt_context_options": {"keyterm_detection": {"llms": ""}}}, "did you mean 'llm'?"),
    ({"tts_text_transforms": "filter_emoji"}, "write a list"),
    ({"tts_text_transforms": ["filter_emojis"]}, "no text transform 'filter_emojis'"),
    ({"tts_text_transforms": [{"LiveKit": "live kit"}]}, "a function from an async iterable"),
]


@pytest.mark.parametrize(("arguments", "message"), OF_SESSIONS)
def test_what_a_session_cannot_be_given_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        session(**arguments)


TOOLS: list[tuple[Any, str]] = [
    ([plain], r"tools=\[plain\]: that is no tool; decorate it with @function_tool"),
    ([functools.partial(plain, "Oslo")], "decorate it with @function_tool"),
    (weather, r"write a list, tools=\[…\]"),
    ([weather, forecast], "weather; give each tool a name of its own"),
    ([Shelf(), forecast], "give each tool a name of its own"),
    ([Shelf], r"that is the class; write Shelf\(…\)"),
    (["weather"], "that is no tool"),
    ([mcp.MCPServerHTTP("http://127.0.0.1:1/mcp")], r"write mcp\.MCPToolset\("),
]


@pytest.mark.parametrize("make", [session, agent])
@pytest.mark.parametrize(("tools", "message"), TOOLS)
def test_what_is_no_tool_is_refused(make: Callable[..., object], tools: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(tools=tools)


async def test_tools_are_checked_again_when_they_are_changed() -> None:
    with pytest.raises(UsageError, match="decorate it with @function_tool"):
        await agent().update_tools([plain])  # type: ignore[list-item]
    one = agent(tools=[weather])
    with pytest.raises(UsageError, match="give each tool a name of its own"):
        await one.update_tools([weather, forecast])
    assert one.tools == [weather]


async def test_a_tool_of_the_session_and_one_of_the_agent_with_one_name_are_refused() -> None:
    shared = session(tools=[weather])
    with pytest.raises(UsageError, match="give each tool a name of its own"):
        await shared.start(agent(tools=[forecast]))
    await shared.start(agent(tools=[weather]))
    await shared.aclose()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"instructions": None}, r"instructions=None: write a str, or Instructions\(…\)"),
        ({"instructions": b"Be kind."}, "write a str"),
        ({"chat_ctx": [{"role": "user"}]}, "write a ChatContext"),
        ({"chat_ctx": ChatContext}, "write a ChatContext"),
    ],
)
def test_what_an_agent_cannot_be_given_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        agent(**arguments)


async def test_what_an_agent_is_cannot_be_changed_into_something_else() -> None:
    one: Any = agent()
    with pytest.raises(UsageError, match="write a str"):
        await one.update_instructions(None)
    with pytest.raises(UsageError, match="write a ChatContext"):
        await one.update_chat_ctx([])
    assert one.instructions == ""


def test_a_delay_that_nobody_named_gives_way_to_the_one_that_was() -> None:
    short = session(**turns(endpointing={"max_delay": 0.3})).options.endpointing
    assert (short["min_delay"], short["max_delay"]) == (0.3, 0.3)
    long = session(**turns(endpointing={"min_delay": 5.0})).options.endpointing
    assert (long["min_delay"], long["max_delay"]) == (5.0, 5.0)


class Detector:
    """A turn detector of a plugin's, by its shape."""

    model = provider = "scripted"

    async def unlikely_threshold(self, language: object) -> float | None:
        return None

    async def supports_language(self, language: object) -> bool:
        return True

    async def predict_end_of_turn(self, chat_ctx: object, *, timeout: float | None = None) -> float:
        return 1.0


async def shout(text: Any) -> AsyncGenerator[str, None]:
    async for part in text:
        yield part.upper()


def test_every_documented_argument_is_taken_and_shown() -> None:
    detector, connecting = Detector(), SessionConnectOptions(max_unrecoverable_errors=1)
    one = AgentSession(
        stt=None,
        vad=None,
        llm="local/brain",
        tts=None,
        turn_handling={"turn_detection": detector, "user_turn_limit": {"max_words": 50}},
        stt_context_options={"keyterms": ["Acme"], "keyterm_detection": {"enabled": False}},
        tools=[weather],
        tool_handling={"async_options": {"update_template": "{message}"}},
        max_tool_steps=5,
        use_tts_aligned_transcript=False,
        tts_text_transforms=["filter_markdown", shout],
        min_consecutive_speech_delay=0.2,
        expressive={"tts_instructions_append": "Laugh."},
        userdata={"a": 1},
        video_sampler=None,
        aec_warmup_duration=None,
        ivr_detection=False,
        user_away_timeout=None,
        transcription_timeout=4.0,
        session_close_transcript_timeout=1.0,
        conn_options=connecting,
        loop=None,
    )
    shown = one.options
    assert one.turn_detection is detector
    assert shown.turn_handling["user_turn_limit"] == {"max_words": 50, "max_duration": None}
    assert shown.stt_context_options["keyterm_detection"]["timeout"] == 10.0
    assert shown.tts_text_transforms == ["filter_markdown", shout]
    assert (shown.max_tool_steps, shown.transcription_timeout) == (5, 4.0)
    assert (shown.use_tts_aligned_transcript, shown.user_away_timeout) == (False, None)
    assert shown.min_consecutive_speech_delay == 0.2
    assert (one.expressive, one.video_sampler) == ({"tts_instructions_append": "Laugh."}, None)
    assert one.tool_handling == {"async_options": {"update_template": "{message}"}}
    assert one.conn_options is connecting
    assert one.tools == [weather]


def test_an_argument_error_is_caught_as_what_programs_expect() -> None:
    for kind in (AntiphonError, UsageError, ValueError, TypeError, RuntimeError):
        with pytest.raises(kind):
            agent(instructions=None)


def test_the_adapters_of_livekit_fill_their_slots() -> None:
    thinking = llm.FallbackAdapter([Brain()])
    assert session(llm=thinking).llm is thinking
    assert issubclass(stt.FallbackAdapter, stt.STT)
    assert issubclass(tts.FallbackAdapter, tts.TTS)
