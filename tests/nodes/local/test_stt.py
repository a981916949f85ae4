"""The recogniser on the virtual clock: sound comes at its own pace, decoding takes no time."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest
import soxr
from livekit import rtc
from livekit.agents import stt
from numpy.typing import NDArray

from antiphon.nodes.local import decoders, sphinx
from antiphon.nodes.local.stt import QUALITY, PocketsphinxSTT
from antiphon.pipeline.errors import NodeUnavailable, UsageError
from antiphon.pipeline.interruption import counts

try:
    sphinx.package()
except NodeUnavailable as missing:
    pytest.skip(str(missing), allow_module_level=True)

Pcm = NDArray[np.int16]
Say = Callable[[str], Pcm]
Kind = stt.SpeechEventType


# Each of them is recognised without an error; other sentences of the measured set are not.
TIME = "what time is it in london right now"
MOTHER = "can you call my mother after dinner"
NUMBERS = "how much is twelve times seven"


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * 16_000), dtype=np.int16)


def frames(sound: Pcm, rate: int = 16_000) -> Iterator[rtc.AudioFrame]:
    if rate != 16_000:
        sound = soxr.resample(sound, 16_000, rate)
    step = rate // 50
    for at in range(0, len(sound) - step + 1, step):
        yield rtc.AudioFrame(sound[at : at + step].tobytes(), rate, 1, step)


@dataclass
class Heard:
    """What a stream said, and when by the loop's clock; the sound began at 0."""

    events: list[stt.SpeechEvent] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def listen(self, stream: stt.RecognizeStream) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for event in stream:
            self.events.append(event)
            self.times.append(loop.time() - began)

    def data(self, kind: Kind = Kind.FINAL_TRANSCRIPT) -> list[stt.SpeechData]:
        return [e.alternatives[0] for e in self.events if e.type == kind]

    @property
    def texts(self) -> list[str]:
        return [data.text for data in self.data()]

    def when(self, kind: Kind) -> list[float]:
        return [t for e, t in zip(self.events, self.times, strict=True) if e.type == kind]


async def push(stream: stt.RecognizeStream, sound: Pcm, rate: int = 16_000) -> None:
    for frame in frames(sound, rate):
        await asyncio.sleep(0.02)
        stream.push_frame(frame)


async def hear(
    recogniser: PocketsphinxSTT, *parts: Pcm | Literal["flush"], rate: int = 16_000
) -> Heard:
    """What a new stream says about `parts`, as they come from a microphone."""
    heard, stream = Heard(), recogniser.stream()
    listening = asyncio.create_task(heard.listen(stream))
    for part in parts:
        if isinstance(part, str):
            stream.flush()
        else:
            await push(stream, part, rate)
    stream.end_input()
    await listening
    await stream.aclose()
    return heard


def errors(said: list[str], found: list[str]) -> int:
    """The fewest words to insert, remove or replace."""
    row = list(range(len(found) + 1))
    for i, word in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
async def test_a_spoken_sentence_is_written_down_at_any_sample_rate(say: Say, rate: int) -> None:
    heard = await hear(PocketsphinxSTT(), silence(1.0), say(TIME), silence(0.3), rate=rate)

    assert heard.texts == [TIME]


async def test_a_microphone_may_change_its_sample_rate_while_it_is_heard(say: Say) -> None:
    heard, stream = Heard(), PocketsphinxSTT().stream()
    listening = asyncio.create_task(heard.listen(stream))
    for rate, text in ((16_000, MOTHER), (48_000, TIME), (24_000, MOTHER), (16_000, TIME)):
        await push(stream, np.concatenate([silence(0.5), say(text), silence(1.2)]), rate)
    stream.end_input()
    await listening
    await stream.aclose()

    assert heard.texts == [MOTHER, TIME, MOTHER, TIME]


async def test_of_ten_sentences_one_word_in_ten_is_wrong_at_most(say: Say) -> None:
    sentences = [
        "hello there", TIME, MOTHER, NUMBERS, "tell me a story about the sea",
        "turn off the lights in the kitchen", "the weather is cold and windy today",
        "i would like to order a large pizza with cheese", "stop please i want to say something",
        "where is the nearest train station",
    ]  # fmt: skip
    sounds = [part for text in sentences for part in (silence(0.5), say(text), silence(1.0))]
    found = (await hear(PocketsphinxSTT(), *sounds)).texts

    assert len(found) == len(sentences)
    wrong = sum(errors(a.split(), b.split()) for a, b in zip(sentences, found, strict=True))
    assert wrong <= sum(len(text.split()) for text in sentences) / 10, found


async def test_an_utterance_is_reported_from_its_first_word_to_its_end(say: Say) -> None:
    heard = await hear(PocketsphinxSTT(), silence(1.0), say(TIME), silence(0.3))
    kinds = [event.type for event in heard.events]

    assert kinds[:2] == [Kind.START_OF_SPEECH, Kind.INTERIM_TRANSCRIPT]
    assert kinds[-3:] == [Kind.FINAL_TRANSCRIPT, Kind.RECOGNITION_USAGE, Kind.END_OF_SPEECH]
    assert set(kinds[1:-3]) == {Kind.INTERIM_TRANSCRIPT}
    assert {event.request_id for event in heard.events} == {"pocketsphinx-1"}


async def test_the_final_words_come_at_the_instant_of_the_flush(say: Say) -> None:
    spoken = say(MOTHER)[: 320 * 110]
    heard = await hear(PocketsphinxSTT(), silence(1.0), spoken, "flush", silence(1.0))

    assert heard.texts
    assert heard.when(Kind.FINAL_TRANSCRIPT) == [pytest.approx(1.0 + 110 * 0.02)]


async def test_an_interim_result_is_news_and_a_tenth_of_a_second_after_the_last(say: Say) -> None:
    heard = await hear(PocketsphinxSTT(), silence(1.0), say(TIME), silence(0.3))
    texts = [data.text for data in heard.data(Kind.INTERIM_TRANSCRIPT)]
    times = heard.when(Kind.INTERIM_TRANSCRIPT)

    assert len(texts) > 3
    assert all(a != b for a, b in zip(texts, texts[1:], strict=False))
    assert all(b - a >= 0.099 for a, b in zip(times, times[1:], strict=False))
    # The first words are there while the sentence is spoken, not when it is over.
    assert texts[0].split()[0] == "what"
    assert times[0] < 2.2


async def test_an_acknowledgement_is_not_shown_as_other_words_while_it_is_said(say: Say) -> None:
    """Other words would cut the agent off for good, and "yes" begins like "you"."""
    said = ["okay", "yeah", "right", "I see", "sure", "really", "yes", "wow", "go on"]
    sounds: list[Pcm | Literal["flush"]] = [
        part for text in said for part in (silence(0.5), say(text), silence(0.1), "flush")
    ]
    heard = await hear(PocketsphinxSTT(), silence(0.5), say(MOTHER), silence(0.2), "flush", *sounds)
    shown = [data.text for data in heard.data(Kind.INTERIM_TRANSCRIPT)]

    assert heard.texts == [MOTHER, *(text.lower() for text in said)]
    assert {"can you call my", MOTHER} & set(shown)
    other = [text for text in shown if counts(text, language="en", unfinished=True)]
    assert [text for text in other if not text.startswith("can you")] == []


async def test_each_word_has_its_time_on_the_clock_of_the_stream(say: Say) -> None:
    spoken = say(TIME)
    length = len(spoken) / 16_000
    sounds = [silence(1.0), spoken, silence(2.0), spoken, silence(0.3)]
    heard = await hear(PocketsphinxSTT(), *sounds)
    first, second = heard.data()

    for said, began in ((first, 1.0), (second, 3.0 + length)):
        assert [str(word) for word in said.words or []] == TIME.split()
        times = [(float(w.start_time), float(w.end_time)) for w in said.words or []]  # type: ignore[arg-type]
        assert began <= times[0][0] == said.start_time < began + 0.3
        assert began + length - 0.4 < times[-1][1] == said.end_time <= began + length
        assert all(start < end for start, end in times)
        assert all(a[1] <= b[0] for a, b in zip(times, times[1:], strict=False))


async def test_an_utterance_ends_by_itself_when_nobody_flushes(say: Say) -> None:
    spoken = say(TIME)
    recogniser = PocketsphinxSTT(end_silence=0.5)
    heard = await hear(recogniser, silence(0.5), spoken, silence(2.0), say(MOTHER), silence(0.6))

    assert heard.texts == [TIME, MOTHER]
    over = 0.5 + len(spoken) / 16_000
    assert over + 0.2 < heard.when(Kind.FINAL_TRANSCRIPT)[0] < over + 0.54


async def test_what_is_said_after_a_flush_is_another_utterance(say: Say) -> None:
    recogniser = PocketsphinxSTT()
    heard = await hear(recogniser, silence(0.5), say(TIME), "flush", silence(0.3), say(MOTHER))

    assert heard.texts == [TIME, MOTHER]
    assert [e.request_id for e in heard.events if e.type == Kind.FINAL_TRANSCRIPT] == [
        "pocketsphinx-1",
        "pocketsphinx-2",
    ]


async def test_a_second_flush_says_nothing_more(say: Say) -> None:
    heard = await hear(PocketsphinxSTT(), silence(0.5), say(TIME), "flush", "flush", silence(0.5))

    assert heard.texts == [TIME]


async def test_an_utterance_that_goes_on_too_long_is_cut_and_goes_on_in_the_next(say: Say) -> None:
    recogniser = PocketsphinxSTT(max_utterance=2.0)
    heard = await hear(recogniser, silence(0.5), say(TIME), say(MOTHER), silence(0.3))
    usage = [e.recognition_usage for e in heard.events if e.type == Kind.RECOGNITION_USAGE]

    assert len(heard.texts) > 1
    assert all(used is not None and used.audio_duration <= 2.021 for used in usage)


async def test_silence_and_a_click_say_nothing() -> None:
    click = np.full(160, 9000, dtype=np.int16)

    assert (await hear(PocketsphinxSTT(), silence(1.0), click, silence(1.0))).events == []


async def test_noise_that_is_no_word_is_used_up_without_a_word() -> None:
    t = np.arange(16_000) / 16_000
    hum = (6000 * np.sign(np.sin(2 * np.pi * 180 * t)) * (t < 0.5)).astype(np.int16)
    heard = await hear(PocketsphinxSTT(), silence(1.0), hum, silence(1.0))

    assert heard.texts == []
    assert [event.type for event in heard.events] == [Kind.RECOGNITION_USAGE]


async def test_several_voices_are_heard_at_once_each_by_itself(say: Say) -> None:
    recogniser = PocketsphinxSTT()
    said = [TIME, MOTHER, NUMBERS]
    heard = [
        asyncio.create_task(hear(recogniser, silence(0.5), say(text), silence(0.3)))
        for text in said
    ]

    assert [(await one).texts for one in heard] == [[text] for text in said]


async def test_the_same_sound_gives_the_same_events(say: Say) -> None:
    sounds = [silence(0.5), say(TIME), silence(1.0), say(MOTHER), silence(0.3)]
    first = await hear(PocketsphinxSTT(), *sounds)
    again = await hear(PocketsphinxSTT(), *sounds)

    assert again.times == pytest.approx(first.times)
    assert [(e.type, e.alternatives) for e in again.events] == [
        (e.type, e.alternatives) for e in first.events
    ]


async def test_a_stream_closed_in_mid_word_ends_at_once_and_harms_no_other(say: Say) -> None:
    recogniser = PocketsphinxSTT()
    heard, stream = Heard(), recogniser.stream()
    listening = asyncio.create_task(heard.listen(stream))
    await push(stream, say(TIME)[:24_000])
    now = asyncio.get_running_loop().time()
    await recogniser.aclose()
    await listening

    assert asyncio.get_running_loop().time() == now
    assert heard.texts == []
    assert heard.data(Kind.INTERIM_TRANSCRIPT)
    assert (await hear(recogniser, silence(0.5), say(MOTHER), silence(0.3))).texts == [MOTHER]


async def test_a_recording_is_recognised_in_one_piece(say: Say) -> None:
    event = await PocketsphinxSTT().recognize([*frames(say(MOTHER), 24_000)])

    assert event.type == Kind.FINAL_TRANSCRIPT
    assert event.alternatives[0].text == MOTHER
    assert len(event.alternatives[0].words or []) == len(MOTHER.split())


@pytest.mark.parametrize("samples", [1, 160, 16_000])
async def test_a_recording_without_words_has_none(samples: int) -> None:
    event = await PocketsphinxSTT().recognize(
        rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples)
    )

    assert event.alternatives[0].text == ""


async def test_a_process_decodes_where_the_library_cannot_be_called(say: Say) -> None:
    heard = await hear(PocketsphinxSTT(worker=True), silence(0.5), say(TIME), silence(0.3))
    decoders.shared(worker=True).close()

    assert heard.texts == [TIME]
    assert heard.when(Kind.INTERIM_TRANSCRIPT)


async def test_another_language_is_refused_before_anything_is_heard() -> None:
    with pytest.raises(UsageError, match="English"):
        PocketsphinxSTT().stream(language="de")

    await PocketsphinxSTT().stream(language="en-US").aclose()


def test_the_engine_says_in_one_line_how_good_it_is() -> None:
    assert "\n" not in QUALITY
    assert "39 %" in QUALITY


def test_importing_the_recogniser_loads_no_engine() -> None:
    program = "import sys, antiphon.nodes.local.stt; sys.exit('pocketsphinx' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
