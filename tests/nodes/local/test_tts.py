"""The built-in voices: real sound, every written word timed, and nothing made for nobody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit.agents import APIError
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT

from antiphon.nodes.local import espeak, flite
from antiphon.nodes.local.script import Mark, Script, portions
from antiphon.nodes.local.tts import AHEAD, TTS
from antiphon.pipeline import clock
from antiphon.pipeline.errors import NodeUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAPS = (
    'It\'s $12.50 (really), "quoted words" - Dr. Smith won’t pay 1,234 on May 3rd at 10:25. '
    "And   more; e.g. this — fine! 😀 **bold** 5 + 3 #1 ... naïve café.\n\nThe end"
)
LONG = "The keeper climbed the stairs again, and lit the lamp for the ships. " * 120


@dataclass
class Heard:
    """What came out of one request."""

    rate: int
    frames: list[np.ndarray] = field(default_factory=list)
    words: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate([*self.frames, np.zeros(0, np.int16)])

    def loudness(self, start: float, end: float) -> float:
        part = self.sound[int(start * self.rate) : int(end * self.rate)].astype(float)
        return float(np.sqrt(np.mean(part**2))) if part.size else 0.0


@pytest.fixture(params=["flite", "espeak"])
def voice(request: pytest.FixtureRequest) -> TTS:
    return make(request.param)


@pytest.fixture
def rms() -> TTS:
    return make("flite")


def make(engine: str, speed: float = 1.0) -> TTS:
    try:
        (flite if engine == "flite" else espeak).available()
    except NodeUnavailable as missing:
        pytest.skip(str(missing))
    return TTS(engine="flite" if engine == "flite" else "espeak", speed=speed)


async def listen(voice: TTS, text: str, frames: int = 10**6) -> Heard:
    heard = Heard(voice.sample_rate)

    async with voice.synthesize(text) as speech:
        async for audio in speech:
            heard.frames.append(np.frombuffer(audio.frame.data, np.int16).copy())
            for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                heard.words.append((str(word), word.start_time, word.end_time))
            if len(heard.frames) == frames:
                break

    return heard


def say(voice: TTS, text: str) -> Heard:
    return clock.run(listen(voice, text), strict=True)


@pytest.mark.parametrize("text", [TRAPS, "Hello there, my friend.", "42", "Yes!", "  a  b  "])
def test_every_written_word_has_its_time_in_order_within_the_sound(voice: TTS, text: str) -> None:
    heard = say(voice, text)

    assert "".join(word for word, _, _ in heard.words) == text
    length = len(heard.sound) / voice.sample_rate
    before = 0.0
    for word, start, end in heard.words:
        assert before <= start < end <= length, word
        before = end


def test_each_word_is_heard_in_its_own_time(voice: TTS) -> None:
    heard = say(voice, "Seven lighthouses, quietly standing. Another morning came.")

    assert len(heard.words) == 7
    assert all(heard.loudness(start, end) > 300 for _, start, end in heard.words)


def test_sound_begins_at_once_and_does_not_clip(voice: TTS) -> None:
    sound = say(voice, "Good evening, and welcome.").sound

    assert np.flatnonzero(np.abs(sound.astype(int)) > 200)[0] < 0.06 * voice.sample_rate
    assert 3000 < np.abs(sound.astype(int)).max() < 32767


def test_frames_are_twenty_milliseconds(voice: TTS) -> None:
    heard = say(voice, "A whole sentence of several words, spoken in one breath.")

    longest = voice.sample_rate // 1000 * 20
    assert {len(frame) for frame in heard.frames[:-4]} <= {longest, longest // 2}
    # The last carries the 10 ms that are held back to mark the end.
    assert max(len(frame) for frame in heard.frames) <= longest * 3 // 2
    assert len(heard.frames) <= len(heard.sound) / longest + 4


@pytest.mark.parametrize("text", ["", "   \n", "😀 🎉", "...", "— ! ?", "**", "\u200b"])
def test_what_cannot_be_spoken_is_silence_and_no_error(voice: TTS, text: str) -> None:
    errors: list[object] = []
    voice.on("error", errors.append)

    assert not say(voice, text).frames
    assert errors == []


def test_words_come_with_or_before_their_sound(voice: TTS) -> None:
    async def main() -> None:
        played, told = 0.0, 0.0
        async with voice.synthesize(LONG[:1000]) as speech:
            async for audio in speech:
                for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                    assert word.start_time >= played - 0.001, word
                    told = max(told, word.end_time)
                played += audio.frame.duration
                assert told > played - 0.6  # the pause after a sentence has no words

    clock.run(main(), strict=True)


def test_an_engine_stops_when_its_listener_has_heard_enough(rms: TTS) -> None:
    listener = Listener(enough=1)
    flite.engine().say(Script(LONG[:600], flite.spell), "rms", 1.0, listener)

    assert len(listener.blocks) == 1
    assert len(listener.blocks[0]) / 2 / 16000 < 0.5


def test_a_reply_that_is_cut_leaves_the_voice_clean_for_the_next(rms: TTS) -> None:
    async def main() -> None:
        fresh = await listen(rms, "The next reply.")
        for frames in (1, 2, 7):
            assert len((await listen(rms, LONG, frames)).frames) == frames
            again = await listen(rms, "The next reply.")
            assert np.array_equal(again.sound, fresh.sound)
            assert again.words == fresh.words

    clock.run(main(), strict=True)


def test_a_request_cancelled_before_its_turn_is_never_spoken(voice: TTS) -> None:
    async def main() -> None:
        speeches = [voice.synthesize(LONG[:400]) for _ in range(5)]
        await asyncio.sleep(0)
        for speech in speeches:
            await speech.aclose()
            assert speech.made == 0

    clock.run(main(), strict=True)


def test_a_long_text_is_made_no_further_than_its_listener_needs(voice: TTS) -> None:
    async def main() -> None:
        speech = voice.synthesize(LONG)
        async with speech:
            await anext(speech)
            await asyncio.sleep(60)
            assert AHEAD < speech.made < AHEAD + 20
            async for _ in speech:
                pass
            assert speech.made > 400

    clock.run(main(), strict=True)


def test_several_sessions_speak_at_once(voice: TTS) -> None:
    async def main() -> list[Heard]:
        texts = [f"This is session number {n}, and it speaks. So it does." for n in range(6)]
        return await asyncio.gather(*(listen(voice, text) for text in texts))

    for number, heard in enumerate(clock.run(main())):
        assert "".join(w for w, _, _ in heard.words).startswith(f"This is session number {number},")
        assert heard.loudness(0, 10) > 300


def test_both_engines_speak_side_by_side() -> None:
    voices = [make("flite"), make("espeak")]

    async def main() -> list[Heard]:
        return await asyncio.gather(*(listen(v, "Two engines, one process.") for v in voices * 3))

    assert all(len(heard.words) == 4 for heard in clock.run(main()))


def test_flite_says_the_same_text_the_same_way(rms: TTS) -> None:
    first, second = say(rms, TRAPS), say(rms, TRAPS)

    assert [list(frame) for frame in first.frames] == [list(frame) for frame in second.frames]
    assert first.words == second.words


@pytest.mark.parametrize("engine", ["flite", "espeak"])
def test_twice_the_speed_is_about_half_as_long(engine: str) -> None:
    text = "Every evening he climbed the stairs and lit the lamp"
    slow, quick = say(make(engine), text), say(make(engine, speed=2.0), text)

    assert 0.4 < len(quick.sound) / len(slow.sound) < 0.65


def test_espeak_speaks_other_languages_and_scripts() -> None:
    make("espeak")
    heard = say(TTS(engine="espeak", voice="de"), "Guten Tag, schöne Grüße!")
    assert [word for word, _, _ in heard.words] == ["Guten ", "Tag, ", "schöne ", "Grüße!"]

    characters = say(TTS(engine="espeak", voice="cmn"), "你好")
    assert [word for word, _, _ in characters.words] == ["你", "好"]


def test_a_voice_that_espeak_lacks_is_one_clear_error() -> None:
    make("espeak")
    voice = TTS(engine="espeak", voice="tlh-nonsense")

    with pytest.raises(APIError, match=r"no voice 'tlh-nonsense'"):
        say(voice, "Hello")


def test_a_voice_that_no_engine_has_is_the_callers_mistake(rms: TTS) -> None:
    with pytest.raises(UsageError, match="rms, slt"):
        TTS(engine="flite", voice="nobody")
    with pytest.raises(UsageError, match="speed"):
        TTS(speed=0.0)


def test_a_missing_library_names_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if Debian's package were older and lacked this voice's library.
    monkeypatch.setitem(flite.VOICES, "ghost", 16000)

    with pytest.raises(NodeUnavailable, match="apt-get install libflite1"):
        flite.available("ghost")


@pytest.mark.parametrize(
    "text", [TRAPS, LONG, "x" * 2000, "word " * 500, "。".join(["你好"] * 300)]
)
def test_portions_are_short_and_lose_nothing(text: str) -> None:
    parts = list(portions(text))

    assert "".join(parts) == text
    assert all(len(part) <= 300 for part in parts)
    if len(text) > 300:
        assert len(parts[0]) < 300


def test_a_portion_does_not_end_at_an_abbreviation() -> None:
    first = next(portions("I spoke to Dr. Smith and Mr. Jones of St. Albans about it. " * 4))

    assert first.endswith("about it. ")


def test_a_word_without_its_own_mark_shares_its_neighbours_time() -> None:
    script = Script("See Dr. Who", espeak.spell)
    timed = script.timed([Mark(0, 0.0, 0.6), Mark(2, 0.7, 1.0)])

    assert [word.text for word in timed] == ["See ", "Dr. ", "Who"]
    assert [(word.start, word.end) for word in timed] == [(0.0, 0.3), (0.3, 0.6), (0.7, 1.0)]


@dataclass
class Listener:
    """Hears `enough` blocks and wants no more."""

    enough: int
    marks: Sequence[Mark] = ()
    blocks: list[bytes] = field(default_factory=list)

    def begin(self, marks: Sequence[Mark]) -> None:
        self.marks = marks

    def hear(self, pcm: bytes) -> bool:
        self.blocks.append(pcm)
        return len(self.blocks) < self.enough
