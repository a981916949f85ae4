import asyncio
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import vad
from numpy.typing import NDArray

from antiphon.nodes.local.smoothing import Edge, Smoothing
from antiphon.nodes.local.vad import QUALITY, Detector, WebRTCVAD
from antiphon.pipeline.errors import UsageError

START = vad.VADEventType.START_OF_SPEECH
END = vad.VADEventType.END_OF_SPEECH
WINDOW = vad.VADEventType.INFERENCE_DONE

Sound = NDArray[np.float64]


def silence(seconds: float, rate: int = 16_000) -> Sound:
    return np.zeros(round(seconds * rate))


def vowel(seconds: float, rate: int = 16_000, peak: float = 6000.0) -> Sound:
    """An "ah" at 120 Hz: harmonics under two resonances."""
    t = np.arange(round(seconds * rate)) / rate
    sound = np.zeros(len(t))
    for hertz in range(120, 3600, 120):
        weight = 1 / (1 + ((hertz - 700) / 150) ** 2) + 0.6 / (1 + ((hertz - 1200) / 200) ** 2)
        sound += weight * np.cos(2 * np.pi * hertz * t)
    sound *= peak / np.abs(sound).max()
    return sound


def noise(seconds: float, rms: float, rate: int = 16_000) -> Sound:
    return np.random.default_rng(7).normal(0.0, rms, round(seconds * rate))


def frames(
    sound: Sound, rate: int = 16_000, ms: int = 20, channels: int = 1
) -> Iterator[rtc.AudioFrame]:
    pcm = np.repeat(sound.clip(-32768, 32767).astype(np.int16), channels)
    step = rate * ms // 1000
    for at in range(0, len(sound) - step + 1, step):
        data = pcm[at * channels : (at + step) * channels].tobytes()
        yield rtc.AudioFrame(data, rate, channels, step)


def heard(detector: Detector, pushed: Iterator[rtc.AudioFrame]) -> list[vad.VADEvent]:
    return [event for frame in pushed for event in detector.push(frame)]


def edges(events: list[vad.VADEvent]) -> list[tuple[vad.VADEventType, float]]:
    return [(event.type, round(event.timestamp, 3)) for event in events if event.type != WINDOW]


SPOKEN = np.concatenate([silence(0.5), vowel(0.6), silence(0.5)])


def test_speech_starts_60_ms_after_its_sound_and_ends_200_ms_after_it() -> None:
    assert edges(heard(Detector(), frames(SPOKEN))) == [(START, 0.56), (END, 1.3)]


@pytest.mark.parametrize("ms", [10, 20, 30, 50])
def test_the_length_of_frames_does_not_move_an_edge(ms: int) -> None:
    assert edges(heard(Detector(), frames(SPOKEN, ms=ms))) == [(START, 0.56), (END, 1.3)]


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_the_sample_rate_moves_an_edge_by_one_window_at_most(rate: int) -> None:
    spoken = np.concatenate([silence(0.5, rate), vowel(0.6, rate), silence(0.5, rate)])
    (start, at), (end, until) = edges(heard(Detector(), frames(spoken, rate)))

    assert (start, end) == (START, END)
    assert abs(at - 0.56) <= 0.021
    assert abs(until - 1.3) <= 0.021


@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_the_first_frame_already_completes_a_window_at_any_rate(rate: int) -> None:
    detector = Detector()

    assert [len(detector.push(frame)) for frame in frames(silence(0.1, rate), rate)] == [1] * 5


def test_a_stereo_track_is_heard_as_a_mono_one() -> None:
    assert edges(heard(Detector(), frames(SPOKEN, channels=2))) == [(START, 0.56), (END, 1.3)]


def test_every_window_reports_how_long_it_has_been_loud_or_quiet() -> None:
    windows = [e for e in heard(Detector(), frames(SPOKEN)) if e.type == WINDOW]

    assert [e.samples_index for e in windows] == [320 * n for n in range(1, 81)]
    for event in windows:
        assert event.timestamp == event.samples_index / 16_000
        assert (event.raw_accumulated_speech > 0) != (event.raw_accumulated_silence > 0)
        assert event.speaking == (0.56 < event.timestamp <= 1.3)
        assert (event.speech_duration > 0) == event.speaking
    last_loud = max(e.timestamp for e in windows if e.raw_accumulated_speech > 0)
    assert last_loud == pytest.approx(1.1)


def test_an_end_tells_how_long_the_speech_was_and_how_long_it_is_over() -> None:
    (end,) = [e for e in heard(Detector(), frames(SPOKEN)) if e.type == END]

    assert end.speech_duration == pytest.approx(0.6)
    assert end.silence_duration == pytest.approx(0.2)
    assert not end.speaking


def test_a_start_brings_what_came_before_it_and_an_end_brings_all_of_it() -> None:
    detector = Detector(prefix_padding_duration=0.3)
    pushed = list(frames(np.concatenate([silence(2.0), vowel(0.6), silence(0.5)])))
    events = [e for e in heard(detector, iter(pushed)) if e.type != WINDOW]

    first_voiced = 100
    start, end = (event.frames for event in events)
    assert start == pushed[first_voiced + 3 - len(start) : first_voiced + 3]
    assert pushed[first_voiced - 15] in start
    assert end[: len(start)] == start
    assert end == pushed[first_voiced + 3 - len(start) : first_voiced + 40]


def test_the_frames_of_all_windows_are_the_frames_that_were_pushed() -> None:
    pushed = list(frames(SPOKEN, ms=50))
    events = heard(Detector(), iter(pushed))

    assert [f for e in events if e.type == WINDOW for f in e.frames] == pushed


def test_what_is_kept_of_endless_speech_is_bounded() -> None:
    detector = Detector(min_silence_duration=5.0)
    detector.MAX_SPEECH = 1.0
    events = heard(detector, frames(np.concatenate([vowel(3.0), silence(6.0)])))
    (end,) = [e for e in events if e.type == END]

    assert sum(f.duration for f in end.frames) == pytest.approx(1.0)


def test_edges_alone_are_those_of_all_events_without_their_frames() -> None:
    asked, pushed = Detector(), Detector()
    alone = [e for frame in frames(SPOKEN, ms=50) for e in asked.edges(frame)]
    among = [e for frame in frames(SPOKEN, ms=50) for e in pushed.push(frame) if e.type != WINDOW]

    assert alone == [replace(event, frames=[]) for event in among]


def test_a_click_is_not_speech() -> None:
    click = np.concatenate([silence(0.5), vowel(0.02), silence(0.5)])

    assert edges(heard(Detector(), frames(click))) == []


@pytest.mark.parametrize("rms", [20, 100, 190])
def test_steady_noise_is_not_speech_even_when_it_is_the_first_sound(rms: float) -> None:
    assert edges(heard(Detector(), frames(noise(5.0, rms)))) == []


def test_noise_that_follows_a_switched_off_microphone_is_not_speech() -> None:
    switched_on = np.concatenate([silence(1.0), noise(3.0, 120)])

    assert edges(heard(Detector(), frames(switched_on))) == []


@pytest.mark.parametrize("offset", [-6000, -600, 300, 2000, 8000])
def test_the_offset_of_a_cheap_microphone_moves_no_edge(offset: int) -> None:
    assert edges(heard(Detector(), frames(SPOKEN + offset))) == [(START, 0.56), (END, 1.3)]


def test_speech_is_heard_over_steady_noise() -> None:
    spoken = np.concatenate([silence(1.0), vowel(0.6), silence(1.0)])
    (start, at), (end, _) = edges(heard(Detector(), frames(spoken + noise(2.6, 100))))

    assert (start, end) == (START, END)
    assert at == pytest.approx(1.06, abs=0.041)


def test_a_pause_shorter_than_the_hang_over_does_not_end_speech() -> None:
    spoken = np.concatenate([silence(0.5), vowel(0.4), silence(0.14), vowel(0.4), silence(0.5)])

    assert [kind for kind, _ in edges(heard(Detector(), frames(spoken)))] == [START, END]


def test_the_durations_asked_for_are_the_durations_kept() -> None:
    detector = Detector(min_speech_duration=0.1, min_silence_duration=0.4)

    assert edges(heard(detector, frames(SPOKEN))) == [(START, 0.6), (END, 1.5)]


def test_after_a_reset_the_same_voice_starts_again_and_time_goes_on() -> None:
    detector = Detector()
    events = heard(detector, frames(np.concatenate([silence(0.5), vowel(0.3)])))
    detector.reset()
    again = heard(detector, frames(vowel(0.3)))

    assert edges(events) == [(START, 0.56)]
    assert edges(again) == [(START, 0.86)]
    assert sum(f.duration for f in again[-1].frames) <= 0.3


def test_an_onset_survives_one_hole_and_no_second() -> None:
    def run(windows: str) -> list[Edge | None]:
        smoothing = Smoothing(window=0.02, min_speech=0.06, min_silence=0.2)
        return [smoothing.step(mark == "#") for mark in windows]

    assert run("##.#")[-1] is Edge.START
    assert run("#.##")[-1] is Edge.START
    assert Edge.START not in run("#.#.#.#.#")
    assert Edge.START not in run("##..#")
    assert run("##..###")[-1] is Edge.START


def test_an_onset_with_a_hole_began_at_its_first_voiced_window() -> None:
    smoothing = Smoothing(window=0.02, min_speech=0.06, min_silence=0.2)
    for mark in "..#.##":
        smoothing.step(mark == "#")

    assert smoothing.speaking
    assert smoothing.segment == pytest.approx(0.08)


def test_every_start_has_one_end_whatever_the_windows_are() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        smoothing = Smoothing(window=0.02, min_speech=0.06, min_silence=0.1)
        marks = [*(rng.random(150) < rng.random()), *[False] * 5]
        found = [edge for mark in marks if (edge := smoothing.step(bool(mark)))]

        assert found == [Edge.START, Edge.END] * (len(found) // 2)


def test_the_stream_gives_the_events_of_the_detector() -> None:
    async def streamed() -> list[vad.VADEvent]:
        stream = WebRTCVAD().stream()
        for frame in frames(SPOKEN):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
        await stream.aclose()
        return events

    def told(events: list[vad.VADEvent]) -> list[tuple[vad.VADEventType, int, float, float, int]]:
        return [
            (e.type, e.samples_index, e.speech_duration, e.silence_duration, len(e.frames))
            for e in events
        ]

    assert told(asyncio.run(streamed())) == told(heard(Detector(), frames(SPOKEN)))


def test_a_flush_of_the_stream_begins_a_new_segment() -> None:
    async def streamed() -> list[vad.VADEvent]:
        stream = WebRTCVAD().stream()
        for frame in frames(vowel(0.3)):
            stream.push_frame(frame)
        stream.flush()
        for frame in frames(vowel(0.3)):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
        await stream.aclose()
        return events

    assert [kind for kind, _ in edges(asyncio.run(streamed()))] == [START, START]


def test_an_aggressiveness_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="0, 1, 2 or 3"):
        WebRTCVAD(aggressiveness=4)


def test_the_engine_says_in_one_line_how_good_it_is() -> None:
    assert "\n" not in QUALITY
    assert "others talk" in QUALITY
