"""A recogniser that ends, or takes no more audio, is told of and started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, io, stt

from antiphon import Agent
from antiphon.simulate import ScriptedLLM, ScriptedTTS
from tests.scripted import Call, Plain, at, hold, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FRAME = 0.02  # seconds


class Microphone(io.AudioInput):
    """Silence in real time, at `rates[n]` hertz in the n-th second."""

    def __init__(self, *rates: int) -> None:
        super().__init__(label="microphone")
        self._rates = rates
        self._count = 0

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(FRAME)
        second, self._count = self._count // 50, self._count + 1
        rate = self._rates[min(second, len(self._rates) - 1)]
        return rtc.AudioFrame(bytes(2 * rate // 50), rate, 1, rate // 50)


class Counting(stt.STT[Any]):
    """Its streams say "heard" and the rate after each second of audio."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    def stream(
        self, *, language: Any = NOT_GIVEN, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS
    ) -> stt.RecognizeStream:
        return _Counting(stt=self, conn_options=conn_options)

    async def _recognize_impl(self, buffer: Any, **_: Any) -> stt.SpeechEvent:
        raise NotImplementedError


class _Counting(stt.RecognizeStream):
    async def _run(self) -> None:
        count = 0
        async for frame in self._input_ch:
            if isinstance(frame, rtc.AudioFrame):
                count += 1
                if count % 50 == 0:
                    text = f"heard {frame.sample_rate}"
                    data = stt.SpeechData(language="en", text=text)  # type: ignore[arg-type]
                    kind = stt.SpeechEventType.FINAL_TRANSCRIPT
                    self._event_ch.send_nowait(stt.SpeechEvent(type=kind, alternatives=[data]))


def _listening(errors: list[str], *rates: int) -> Any:
    def listen(call: Call) -> None:
        call.session.on("error", lambda e: errors.append(str(e.error.error)))
        if rates:
            call.session.input.audio = Microphone(*rates)

    return at(0.0, listen)


def test_a_recogniser_that_refuses_a_rate_is_told_of_with_the_cause_and_hears_again() -> None:
    errors: list[str] = []
    call = hold(
        _listening(errors, 16_000, 16_000, 48_000),
        until=8.0,
        agent=lambda call: Agent(
            instructions="Answer.",
            stt=Counting(),
            llm=ScriptedLLM(lambda _: "zuzu."),
            tts=ScriptedTTS(voice=call.voice),
        ),
    )
    assert len(errors) == 1
    assert "took no more audio" in errors[0]
    assert "sample rate" in errors[0]
    said = call.text("user")
    assert said.count("16000") == 2
    assert said.count("48000") >= 4


@pytest.mark.parametrize("ends", [1, 5])
def test_a_recogniser_that_ends_before_its_first_word_is_started_again(ends: int) -> None:
    class Ending(Plain):
        begun = 0

        async def stt_node(self, audio: Any, model_settings: Any) -> AsyncGenerator[Any, None]:
            self.begun += 1
            if self.begun <= ends:
                return
            while True:
                yield await self.caller.speech.get()

    errors: list[str] = []
    call = hold(
        _listening(errors),
        user(4.0, 4.6, "zaza zeze"),
        until=9.0,
        agent=lambda call: Ending(call.caller, call.voice),
    )
    assert call.text("user") == ["zaza", "zeze"]
    assert call.text("assistant")
    assert errors == ["stt_node ended without a word; it is started again"]


def test_a_recogniser_that_dies_as_another_agent_takes_over_is_not_started_again() -> None:
    class Dying(Plain):
        begun = 0

        async def stt_node(self, audio: Any, model_settings: Any) -> AsyncGenerator[Any, None]:
            self.begun += 1
            yield await self.caller.speech.get()
            raise ValueError("gone")

    first: list[Dying] = []

    def dying(call: Call) -> Agent:
        first.append(Dying(call.caller, call.voice))
        return first[0]

    errors: list[str] = []
    call = hold(
        _listening(errors),
        user(1.0, 3.0, "zaza zeze zizi"),  # the first word comes, and the recogniser dies
        at(2.0, lambda call: call.session.update_agent(Plain(call.caller, call.voice))),
        user(6.0, 6.6, "zozo zuzu"),
        until=12.0,
        agent=dying,
    )
    assert errors == ["gone"]
    assert first[0].begun == 1
    assert call.text("user")[-2:] == ["zozo", "zuzu"]
