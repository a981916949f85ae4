"""What an application asks of a session with a realtime model, as its server sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import LanguageCode
from livekit.agents.stt import SpeechData, SpeechEvent, SpeechEventType

from antiphon import Agent, AgentSession, ChatContext, function_tool
from antiphon.conformance import gateway
from antiphon.conformance.checks import SECOND, Waiter
from antiphon.simulate import ScriptedLLM, ScriptedSTT, ScriptedVAD, listens, pauses, says
from tests.realtime.dialects import INFERENCE as GATEWAY
from tests.realtime.openai_wire import OpenAI
from tests.realtime.rows import CLIENTS, INFERENCE, OPENAI, Row
from tests.realtime.script import Answer, Model
from tests.realtime.sound import OUT_RATE, Detector
from tests.realtime.talking import talking
from tests.realtime.test_conversations import FIRST

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from antiphon import ModelSettings
    from tests.realtime.script import Made
    from tests.realtime.sound import Samples

EVERY = pytest.mark.parametrize("row", CLIENTS, ids=str)
THIRD = "Good bye."


class Voiced(Agent):
    """Speaks itself what no model speaks, in the sound of the server's words."""

    def __init__(self, model: Model, **models: Any) -> None:
        super().__init__(instructions="You speak.", **models)
        self.voice = model.voice

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for chunk in text:
            for _, sound in self.voice.answer(iter(chunk.split())):
                yield rtc.AudioFrame(sound.tobytes(), OUT_RATE, 1, len(sound))


class Pipeline(Voiced):
    """Has a recogniser of its own, which reads the caller's sound."""

    def __init__(self, model: Model, *answers: str) -> None:
        super().__init__(model, llm=ScriptedLLM(answers))
        self.lines = model.lines

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[SpeechEvent, None]:
        sound: list[Samples] = []
        detectors: dict[int, Detector] = {}
        async for frame in audio:
            rate = frame.sample_rate
            sound.append(np.frombuffer(frame.data, np.int16))
            for what, _ in detectors.setdefault(rate, Detector(rate, 0.3)).hear(sound[-1]):
                if what == "ended":
                    words = SpeechData(
                        LanguageCode("en"), self.lines.read(np.concatenate(sound), rate)
                    )
                    sound.clear()
                    yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, alternatives=[words])


async def test_words_of_a_recogniser_beside_the_model_outlive_its_connection() -> None:
    """The model has heard them as sound, and its next connection is told them as text."""
    given = {"turn_detection": None, "input_audio_transcription": None}
    ears: dict[str, Any] = {"vad": ScriptedVAD(), "stt": ScriptedSTT()}
    async with talking(OPENAI, Model(FIRST, SECOND), given=given, faults=True, **ears) as talk:
        await talk.play(says("a table for four please"))
        talk.model.lose()
        await talk.call.play(pauses(5.0))
        await talk.play(says("thank you"))
    assert talk.history() == [
        ("user", "a table for four please"),
        ("assistant", FIRST),
        ("user", "thank you"),
        ("assistant", SECOND),
    ]
    assert [made.asked for made in talk.made] == [talk.history()[:1], talk.history()[:3]]


async def test_a_tool_choice_holds_for_one_reply() -> None:
    async with talking(OPENAI, Model(FIRST, SECOND), agent=Waiter()) as talk:
        talk.call.session.generate_reply(tool_choice="none")
        await talk.play()
        talk.call.session.generate_reply()
        await talk.play()
    first, second = [made.notes["asked"] for made in talk.made]
    assert first["tool_choice"] == "none"
    assert second.get("tool_choice") in (None, "auto")


async def test_a_conversation_that_is_replaced_is_replaced_at_the_server() -> None:
    async with talking(OPENAI, Model(FIRST, SECOND)) as talk:
        await talk.play(says("a table for four please"))
        context = ChatContext.empty()
        context.add_message(role="user", content="My name is Ann.")
        context.add_message(role="assistant", content="Hello Ann.")
        await talk.call.agent.update_chat_ctx(context)
        await talk.play(says("thank you"))
    assert talk.made[1].asked == [
        ("user", "My name is Ann."),
        ("assistant", "Hello Ann."),
        ("user", "thank you"),
    ]


@EVERY
async def test_what_a_voice_says_for_the_model_is_told_to_it(row: Row) -> None:
    model = Model(SECOND)
    async with talking(row, model, agent=Voiced(model), timed=False) as talk:
        await talk.call.session.say("This call is recorded.")
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == ["This call is recorded.", SECOND]
    assert talk.made[0].asked == [("assistant", "This call is recorded."), ("user", "thank you")]


@EVERY
async def test_a_pipeline_takes_over_and_the_connection_is_closed_until_it_gives_back(
    row: Row,
) -> None:

    def answers(made: Made) -> Answer:
        if made.asked[-1][0] == "result":
            return Answer("Certainly.")  # of a model that does not wait to be asked
        return Answer(calls=(("hand_over", {}),)) if len(model.made) == 1 else Answer(THIRD)

    model = Model(script=answers)

    class Host(Agent):
        @function_tool
        async def hand_over(self) -> Agent:
            """Hand over."""
            return Pipeline(model, SECOND)

    host = Host(instructions="You host.")
    options: dict[str, Any] = {"agent": host, "timed": False, "vad": ScriptedVAD()}
    async with talking(row, model, **options) as talk:
        await talk.call.play(says("the other please"), pauses(5.0))
        (first,) = model.connections
        assert first.closed is not None
        await talk.call.play(says("a table for four"), listens())
        assert len(model.connections) == 1
        talk.call.session.update_agent(
            Host(instructions="Last.", chat_ctx=talk.call.session.history)
        )
        await talk.call.play(pauses(5.0))
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [SECOND, THIRD]
    assert len(model.connections) == 2
    assert model.made[-1].instructions == "Last."
    (role, words), *rest = model.made[-1].asked[-3:]
    assert (role, rest) == ("user", [("assistant", SECOND), ("user", "thank you")])
    assert words.endswith("a table for four")


@pytest.mark.parametrize("name", ["google/gemini-live", "xai/grok-voice-latest"])
async def test_a_string_names_any_vendors_model_behind_the_gateway(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)
    dialect = replace(GATEWAY, model=name)
    row = replace(INFERENCE, speaks=lambda model: OpenAI(model, dialect))

    def session(url: str) -> AgentSession[None]:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{url}/v1")
        return AgentSession(llm=name)

    async with talking(row, Model(FIRST, SECOND), session=session) as talk:
        await talk.play(says("a table for four please"))
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == [FIRST, SECOND]
    assert talk.made[1].asked == talk.history()[:3]
