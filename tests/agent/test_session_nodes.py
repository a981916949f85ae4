"""Overridden nodes and other people's outputs: what each does to what is heard and remembered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import io

from antiphon import Agent, AgentSession, ModelSettings
from antiphon.simulate import Call as SimulatedCall
from antiphon.simulate import ScriptedLLM, ScriptedSTT, ScriptedTTS, does, pauses, simulate
from tests.scripted import RATE, Call, Plain, at, check, hold, sentence, user
from tests.scripted_agent import Voice
from tests.scripted_models import in_turn, modelled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

FIRST, LATER = sentence(0), sentence(10)
LONG = " ".join(sentence(first) for first in (0, 10, 20, 30))


class Modelled(Agent):
    """Of LiveKit models; the nodes are LiveKit's defaults, called by name."""

    def __init__(self, call: Call, *, streaming: bool = False) -> None:
        mouth = ScriptedTTS(voice=call.voice, streaming=streaming)
        super().__init__(instructions="", stt=ScriptedSTT(), llm=ScriptedLLM(in_turn()), tts=mouth)


class ByName(Modelled):
    async def stt_node(self, *args: Any) -> AsyncGenerator[Any, None]:
        async for event in Agent.default.stt_node(self, *args):
            yield event

    async def llm_node(self, *args: Any) -> AsyncGenerator[Any, None]:
        async for chunk in Agent.default.llm_node(self, *args):
            yield chunk

    async def tts_node(self, *args: Any) -> AsyncGenerator[Any, None]:
        async for frame in Agent.default.tts_node(self, *args):
            yield frame

    async def transcription_node(self, *args: Any) -> AsyncGenerator[Any, None]:
        async for text in Agent.default.transcription_node(self, *args):
            yield text


@pytest.mark.parametrize("streaming", [False, True])
def test_the_default_nodes_do_the_same_called_by_name(streaming: bool) -> None:
    cues = [user(0.2, 0.8, "zaza"), user(4.0, 4.4, "zeze"), user(5.2, 5.6, "zizi zozo")]
    named = hold(*cues, agent=lambda call: ByName(call, streaming=streaming))
    left_out = hold(*cues, agent=lambda call: Modelled(call, streaming=streaming))
    check(named)
    assert [m.text_content for m in named.messages] == [m.text_content for m in left_out.messages]
    assert named.sound == left_out.sound


class Shouting(Modelled):
    """Gives the voice other words than are written, one item for one."""

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async def louder() -> AsyncGenerator[str, None]:
            async for item in text:
                yield item.upper()

        async for frame in Agent.default.tts_node(self, louder(), model_settings):
            yield frame


class Merging(Modelled):
    """Gives the voice all items as one."""

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async def whole() -> AsyncGenerator[str, None]:
            yield " ".join([item.strip().upper() async for item in text])

        async for frame in Agent.default.tts_node(self, whole(), model_settings):
            yield frame


@pytest.mark.parametrize("kind", [Shouting, Merging])
@pytest.mark.parametrize("streaming", [False, True])
def test_history_has_the_written_words_of_what_was_heard_in_others(
    kind: type[Modelled], streaming: bool
) -> None:
    for moment in [1.2 + 0.06 * n for n in range(45)]:
        call = hold(
            at(0.1, lambda call: call.say(LONG)),
            at(moment, lambda call: call.session.interrupt()),
            agent=lambda call: kind(call, streaming=streaming),
        )
        assert [word.upper() for word in call.text("assistant")] == call.heard


class OwnFrames(Plain):
    """Says nothing of its words, and gives frames of its own."""

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for item in text:
            samples = np.full(60 * len(item), 1, np.int16)
            yield rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples))


def test_history_of_frames_nobody_timed_is_near_and_whole_at_the_end() -> None:
    call = Call(voice=Voice())
    call.voice.made, call.voice.lengths = [""], [10**9]
    hold(at(0.1, lambda call: call.say(LONG)), agent=own_frames, call=call)
    assert call.text("assistant") == LONG.split()
    for moment in [0.5 * n for n in range(1, 10)]:
        cut = hold(
            at(0.1, lambda call: call.say(LONG)),
            at(moment, lambda call: call.session.interrupt()),
            agent=own_frames,
        )
        heard = len(cut.sound) / (60 * len(LONG)) * len(LONG.split())
        assert abs(len(cut.text("assistant")) - heard) <= 1.5


def own_frames(call: Call) -> Agent:
    return OwnFrames(call.caller, call.voice)


class Captioned(Plain):
    async def transcription_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        async for item in text:
            yield item.upper()


def test_transcription_node_makes_what_history_shows() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Captioned(call.caller, call.voice),
    )
    assert call.text("assistant") == [word.upper() for word in call.heard]


def test_a_transcription_node_that_fails_leaves_the_text_as_written() -> None:
    class Failing(Plain):
        async def transcription_node(self, *_: object) -> AsyncGenerator[str, None]:
            raise LookupError("no captions")
            yield

    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Failing(call.caller, call.voice))
    check(call)
    assert call.text("assistant")


# Whole utterances.


def test_a_recogniser_of_whole_utterances_is_given_them_by_the_detector() -> None:
    def make(call: Call) -> Agent:
        ears = ScriptedSTT(streaming=False, final=0.0)
        voice = ScriptedTTS(voice=call.voice)
        return Agent(instructions="", stt=ears, llm=ScriptedLLM(in_turn()), tts=voice)

    call = hold(user(0.2, 0.8, "zaza zeze"), user(5.0, 5.5, "zizi"), agent=make)
    check(call)
    assert [m.text_content for m in call.messages if m.role == "user"] == ["zaza zeze", "zizi"]
    assert [m.role for m in call.messages] == ["user", "assistant", "user", "assistant"]


# Outputs of other people.


class Foreign(io.AudioOutput):
    """Plays in real time, like a room's output; reports its position `late` seconds after."""

    def __init__(self, late: float = 0.0) -> None:
        super().__init__(
            label="foreign", capabilities=io.AudioOutputCapabilities(pause=True), sample_rate=RATE
        )
        self.late = late
        self.taken: list[int] = []  # every sample handed to it
        self.heard: list[int] = []  # every sample really played
        self._open: list[int] = []
        self._began = 0.0
        self._ends: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._open:
            self._began = asyncio.get_running_loop().time()
        self._open += [int(value) for value in frame.data]

    def flush(self) -> None:
        super().flush()
        loop = asyncio.get_running_loop()
        if self._open and self._ends is None:
            ends = self._began + len(self._open) / RATE
            self._ends = loop.call_at(max(ends, loop.time()), self._finish, False)

    def clear_buffer(self) -> None:
        if self._open:
            self._finish(True)

    def _finish(self, interrupted: bool) -> None:
        loop = asyncio.get_running_loop()
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None
        played = min(len(self._open), int((loop.time() - self._began) * RATE + 1e-3))
        self.heard += self._open[:played]
        self._open = []
        loop.call_later(
            self.late,
            lambda: self.on_playback_finished(
                playback_position=played / RATE, interrupted=interrupted
            ),
        )


@pytest.mark.parametrize("late", [0.0, 0.2])
def test_what_a_foreign_output_played_is_what_history_has(late: float) -> None:
    for moment in [0.5 + 0.07 * n for n in range(30)]:
        sinks: list[Foreign] = []

        def attach(call: Call) -> None:
            sinks.append(Foreign(late))  # noqa: B023  # used within this round
            call.session.output.audio = sinks[0]  # noqa: B023

        call = hold(
            at(0.0, attach),
            at(0.1, lambda call: call.say(LONG)),
            at(moment, lambda call: call.session.interrupt()),
            at(4.0, lambda call: call.say(sentence(5000))),
            at(6.0, lambda _: None),  # time for its last report
        )
        heard = words_of(call, sinks[0].heard)
        assert call.text("assistant") == heard, moment
        assert call.messages[-1].text_content == sentence(5000)
        assert not call.sound  # nothing went to the first output


def words_of(call: Call, samples: list[int]) -> list[str]:
    counts = np.bincount(samples, minlength=len(call.voice.made) + 1)
    return [
        spoken
        for n, spoken in enumerate(call.voice.made, 1)
        if counts[n] == call.voice.lengths[n - 1]
    ]


# No sound at all.


class Captions(io.TextOutput):
    def __init__(self) -> None:
        super().__init__(label="captions", next_in_chain=None)
        self.segments: list[str] = [""]

    async def capture_text(self, text: str) -> None:
        self.segments[-1] += text

    def flush(self) -> None:
        self.segments.append("")


def test_captions_that_are_turned_off_show_nothing() -> None:
    call = Call()
    captions = Captions()

    def silenced(call: Call) -> None:
        call.session.output.transcription = captions
        call.session.output.set_transcription_enabled(False)

    hold(
        at(0.1, silenced),
        at(0.2, lambda call: call.say(FIRST)),
        at(5.0, lambda call: call.session.output.set_transcription_enabled(True)),
        at(5.1, lambda call: call.say(LATER)),
        call=call,
    )
    assert "".join(captions.segments) == LATER


async def test_a_session_without_a_voice_writes_its_answers() -> None:
    session: AgentSession[None] = AgentSession(
        vad=None, llm=ScriptedLLM(["Zaza zeze.", "Zizi zozo."])
    )
    session.output.transcription = captions = Captions()
    await session.start(Agent(instructions=""))
    await session.generate_reply(user_input="Zu?")
    await session.generate_reply(user_input="Za?")
    await session.aclose()
    texts = [item.text_content for item in session.history.messages()]
    assert texts == ["Zu?", "Zaza zeze.", "Za?", "Zizi zozo."]
    assert [segment.strip() for segment in captions.segments] == ["Zaza zeze.", "Zizi zozo.", ""]


def test_captions_show_the_words_as_they_are_heard() -> None:
    captions = Captions()

    def attach(call: Call) -> None:
        call.session.output.transcription = captions

    call = hold(
        at(0.0, attach),
        at(0.1, lambda call: call.say(LONG)),
        at(1.3, lambda call: call.session.interrupt()),
        agent=modelled,
    )
    check(call)
    assert captions.segments[0].split() == call.heard


def test_ready_audio_does_not_wait_for_the_text_beside_it() -> None:
    async def texts() -> AsyncGenerator[str, None]:
        for word in "one two three four five six".split():
            yield f"{word} "
            await asyncio.sleep(1.0)

    async def audio() -> AsyncGenerator[rtc.AudioFrame, None]:
        for _ in range(60):
            yield rtc.AudioFrame(bytes(200), 1000, 1, 100)

    def speak(call: SimulatedCall) -> None:
        call.session.say(texts(), audio=audio())

    call = simulate(Agent(instructions=""), [does(speak), pauses(9.0)])
    assert [round(t, 3) for t, _ in call.played][:1] == [0.0]
    assert call.said("agent") == ["one two three four five six"]
