"""Whatever is raised, by whatever code of an application's: it is told of, and the call goes on."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, get_args

import pytest
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from antiphon.events import EventTypes
from tests.scripted import Call, Plain, at, check, check_sound, hold, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from livekit import rtc

    from antiphon import Agent


class Panic(BaseException):
    """As a library in Rust raises it: no Exception."""


ERRORS = [
    Panic("out of cheese"),
    BaseExceptionGroup("many", [Panic("out of cheese")]),
    GeneratorExit("out of cheese"),
    asyncio.CancelledError("out of cheese"),
]
SEEN = ("user_state_changed", "agent_state_changed", "conversation_item_added", "close")
SPOKEN = [user(0.2, 0.8, "zaza"), user(6.0, 6.4, "zozo")]


class Failing(Plain):
    """What it overrides fails `times` times."""

    def __init__(self, call: Call, error: BaseException, times: int) -> None:
        super().__init__(call.caller, call.voice)
        self.error, self.left = error, times

    def refuse(self) -> None:
        if self.left:
            self.left -= 1
            raise self.error


class FailingModel(Failing):
    async def llm_node(self, *args: Any) -> AsyncGenerator[str, None]:
        self.refuse()
        async for token in super().llm_node(*args):
            yield token


class FailingVoice(Failing):
    async def tts_node(self, *args: Any) -> AsyncGenerator[rtc.AudioFrame, None]:
        self.refuse()
        async for frame in super().tts_node(*args):
            yield frame


class FailingRecogniser(Failing):
    async def stt_node(self, *args: Any) -> AsyncGenerator[Any, None]:
        self.refuse()
        async for event in super().stt_node(*args):
            yield event


class FailingTurn(Failing):
    async def on_user_turn_completed(self, *_: object) -> None:
        self.refuse()


class FailingEntry(Failing):
    async def on_enter(self) -> None:
        self.refuse()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("kind", "times"),
    # An answer that was prepared and failed is made once more.
    [(FailingModel, 2), (FailingVoice, 2), (FailingRecogniser, 1), (FailingEntry, 1)],
)
def test_what_is_no_exception_is_told_of_by_its_name(
    kind: type[Failing], times: int, error: BaseException
) -> None:
    call = hold(*SPOKEN, agent=lambda call: kind(call, error, times))
    [event] = call.reported("error")
    told = str(getattr(event.error, "error", event.error))
    cancelled = isinstance(error, asyncio.CancelledError)
    assert ("cancelled itself" if cancelled else f"raised {type(error).__name__}") in told
    check(call, errors=1)
    assert call.messages[-1].role == "assistant"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_hook_that_fails_in_any_way_costs_its_own_answer_and_no_other(
    error: BaseException,
) -> None:
    call = hold(*SPOKEN, agent=lambda call: FailingTurn(call, error, 1))
    check(call, errors=1)
    assert [m.role for m in call.messages] == ["user", "user", "assistant"]


@pytest.mark.parametrize(
    "error", [ERRORS[0], ERRORS[-1], TypeError("no")], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("event", [n for n in get_args(EventTypes) if n != "error"])
def test_a_callback_that_fails_in_any_way_costs_nobody_anything(
    event: EventTypes, error: BaseException
) -> None:
    heard: list[object] = []

    def listen(call: Call) -> None:
        call.session.on(event, fail)
        call.session.on(event, heard.append)

    def fail(_: object) -> None:
        raise error

    call = hold(at(0.0, listen), *SPOKEN)
    check_sound(call)
    assert call.text("assistant") == call.heard
    assert call.text("user") == call.caller.words
    assert not call.reported("error")
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2
    assert len(heard) == len([e for e in call.reported(event) if e in heard])
    assert heard or event not in SEEN


async def giving(*items: object) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item


class Showing(Plain):
    """Shows something that is no text."""

    item: object

    async def transcription_node(
        self, text: AsyncIterable[str], model_settings: object
    ) -> AsyncGenerator[Any, None]:
        async for _ in text:
            yield self.item


@pytest.mark.parametrize("item", [b"bytes", 5, None, ["a"]])
def test_a_transcription_node_that_gives_no_text_leaves_it_as_written(item: object) -> None:
    def agent(call: Call) -> Agent:
        showing = Showing(call.caller, call.voice)
        showing.item = item
        return showing

    call = hold(*SPOKEN, agent=agent)
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2


@pytest.mark.parametrize("item", [b"bytes", 5, None])
def test_an_item_that_is_no_text_is_named(item: object) -> None:
    call = hold(at(0.1, lambda call: call.say(giving("Zaza. ", item))), user(6.0, 6.4, "zozo"))
    [event] = call.reported("error")
    assert f"gave {type(item).__name__}: it must give str" in str(event.error)
    assert call.messages[-1].role == "assistant"


@pytest.mark.parametrize("end", [math.nan, math.inf, -math.inf, None, -5.0, 1e300])
def test_a_voice_that_cannot_time_its_words_is_heard(end: float | None) -> None:
    class Mistimed(Plain):
        async def tts_node(self, *args: Any) -> AsyncGenerator[rtc.AudioFrame, None]:
            async for frame in super().tts_node(*args):
                word = TimedString("zaza", start_time=0.0, end_time=end)  # type: ignore[arg-type]
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [word]
                yield frame

    call = hold(*SPOKEN, agent=lambda call: Mistimed(call.caller, call.voice))
    check(call)
    assert [m.role for m in call.messages] == ["user", "assistant"] * 2


HALVES = [
    (["Zaza \ud83d", "\ude00 zezu."], "Zaza \U0001f600 zezu."),  # as from JSON that is cut in two
    (["Zaza \ud83d", " zezu."], "Zaza \ufffd zezu."),
    (["Zaza \ude00zezu. \ud83d"], "Zaza \ufffdzezu."),
]


@pytest.mark.parametrize(("pieces", "written"), HALVES)
def test_half_a_character_is_joined_or_marked_before_history_has_it(
    pieces: list[str], written: str
) -> None:
    class Halving(Plain):
        def llm_node(self, *_: object) -> Any:
            return giving(*pieces)

    call = hold(
        at(0.1, lambda call: call.say(giving(*pieces))),
        user(3.0, 3.4, "zozo"),
        agent=lambda call: Halving(call.caller, call.voice),
    )
    assert not call.reported("error")
    assert [m.text_content for m in call.messages if m.role == "assistant"] == [written] * 2


def test_half_a_character_of_a_recogniser_costs_nothing() -> None:
    class Hearing(Plain):
        async def stt_node(self, *args: Any) -> AsyncGenerator[Any, None]:
            async for event in super().stt_node(*args):
                for heard in event.alternatives:
                    heard.text += "\ud83d"
                yield event

    call = hold(SPOKEN[0], agent=lambda call: Hearing(call.caller, call.voice))
    assert call.messages[0].text_content == "zaza\ufffd"
    assert call.messages[1].role == "assistant"
