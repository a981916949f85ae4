import gc
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from livekit import rtc
from numpy.typing import NDArray

from antiphon.nodes.local import decoders, sphinx
from antiphon.nodes.local.utterances import Utterances
from antiphon.pipeline.errors import NodeError, NodeUnavailable

try:
    sphinx.package()
except NodeUnavailable as missing:
    pytest.skip(str(missing), allow_module_level=True)

Pcm = NDArray[np.int16]
Say = Callable[[str], Pcm]

TIME = "what time is it in london right now"


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * 16_000), dtype=np.int16)


def frames(sound: Pcm) -> Iterator[rtc.AudioFrame]:
    for at in range(0, len(sound) - 319, 320):
        yield rtc.AudioFrame(sound[at : at + 320].tobytes(), 16_000, 1, 320)


def hear(
    pool: decoders.Decoders, sound: Pcm, *, step: int = 1280, channel: str = ""
) -> sphinx.Utterance:
    hearing = decoders.Hearing(pool, channel)
    pcm = sound.tobytes()
    for at in range(0, len(pcm), step):
        hearing.feed(pcm[at : at + step])
    return hearing.finish()


@pytest.fixture
def library() -> Iterator[decoders.Decoders]:
    try:
        sphinx.library()
    except NodeUnavailable:
        pytest.skip("pocketsphinx exports its functions on Linux; elsewhere a process decodes")
    pool = decoders.Decoders(sphinx.Library)
    yield pool
    pool.close()
    pool.executor.shutdown()


@pytest.fixture
def workers() -> Iterator[decoders.Decoders]:
    pool = decoders.Decoders(decoders.Worker)
    yield pool
    pool.close()
    pool.executor.shutdown()
    gc.collect()  # a process that was not waited for would warn here, in this test


def idle(pool: decoders.Decoders) -> int:
    """How many decoders lie ready."""
    return len(pool._idle)


def test_the_words_do_not_depend_on_how_fast_the_sound_came(
    library: decoders.Decoders, say: Say
) -> None:
    sound = np.concatenate([silence(0.2), say("tell me a story about the sea")])
    once = hear(library, sound, step=10**6)

    assert once.text.startswith("tell me")
    for step in (640, 1600, 22_222):
        assert hear(library, sound, step=step) == once


def test_a_process_hears_just_what_the_library_hears(
    library: decoders.Decoders, workers: decoders.Decoders, say: Say
) -> None:
    sound = np.concatenate([silence(0.2), say(TIME)])
    here, there = hear(library, sound), hear(workers, sound)

    assert here == there
    assert here.text == TIME
    assert hear(library, sound, channel=here.channel) == hear(workers, sound, channel=here.channel)


def test_a_decoder_remembers_nothing_of_the_voice_before(
    library: decoders.Decoders, say: Say
) -> None:
    sound = say("can you call my mother after dinner")
    alone = hear(library, sound)
    loud = (say(TIME).astype(np.float32) * 3).clip(-32768, 32767).astype(np.int16)
    hear(library, loud)
    hear(library, loud)

    assert idle(library) == 1
    assert hear(library, sound) == alone


def test_what_a_voice_taught_changes_how_its_next_words_are_heard(
    library: decoders.Decoders, say: Say
) -> None:
    sound = np.concatenate([silence(0.3), say(TIME)])
    first = hear(library, sound)
    second = hear(library, sound, channel=first.channel)

    assert first.channel != second.channel
    assert second.text == TIME


def test_of_the_first_words_of_a_voice_few_are_misheard(
    library: decoders.Decoders, say: Callable[..., Pcm]
) -> None:
    """Half a second of a voice says little of it: five words more are wrong by that alone."""
    heard = {
        text: hear(library, np.concatenate([silence(0.3), say(text, voice), silence(0.3)])).text
        for voice, text in (
            ("slt", "tell me a story about the sea"),
            ("slt", "please book a table for four people on friday"),
            ("rms", "stop please i want to say something"),
        )
    }
    right = sum(
        (Counter(text.split()) & Counter(found.split())).total() for text, found in heard.items()
    )
    assert right >= 18, heard


def test_an_utterance_without_words_has_none(library: decoders.Decoders) -> None:
    for samples in (0, 1, 100, 640, 16_000):
        assert hear(library, np.zeros(samples, dtype=np.int16)).words == ()


def test_one_decoder_serves_utterances_in_turn_and_two_serve_two_at_once(
    library: decoders.Decoders, say: Say
) -> None:
    for _ in range(3):
        hear(library, say("hello there"))
    assert idle(library) == 1

    pcm = say(TIME).tobytes()
    two = [decoders.Hearing(library, channel="") for _ in range(2)]
    for hearing in two:
        hearing.feed(pcm)
    assert idle(library) == 0
    assert [hearing.finish().text for hearing in two] == [TIME, TIME]
    assert idle(library) == 2


def test_no_more_decoders_are_kept_than_the_limit(library: decoders.Decoders) -> None:
    library.IDLE = 1
    two = [library.take(), library.take()]
    for decoder in two:
        library.put(decoder)

    assert idle(library) == 1


def test_an_abandoned_utterance_gives_its_decoder_back_and_hears_nothing_more(
    library: decoders.Decoders, say: Say
) -> None:
    pcm = say(TIME).tobytes()
    hearing = decoders.Hearing(library, channel="")
    assert hearing.feed(pcm)
    hearing.abandon()

    assert idle(library) == 1
    assert hearing.feed(pcm) == ""
    assert hearing.finish(pcm).words == ()
    assert idle(library) == 1
    hearing.abandon()
    assert idle(library) == 1


def test_warming_loads_one_decoder_however_often(library: decoders.Decoders) -> None:
    library.warm()
    library.warm()

    assert idle(library) == 1


def test_a_process_that_has_died_is_an_error_and_the_next_one_answers(
    workers: decoders.Decoders,
) -> None:
    worker = decoders.Worker()
    worker._process.kill()
    worker._process.wait()
    workers.put(worker)
    with pytest.raises(NodeError, match="died"):
        hear(workers, silence(1.0))

    assert idle(workers) == 0
    assert hear(workers, silence(1.0)).words == ()
    assert idle(workers) == 1


def test_a_process_ends_with_the_program_that_started_it() -> None:
    worker = decoders.Worker()
    assert worker._process.stdin is not None
    worker._process.stdin.close()  # as the system does when the program is killed

    assert worker._process.wait(timeout=60) == 0
    assert worker._process.stdout is not None
    worker._process.stdout.close()


def test_the_library_in_use_leaves_the_interpreter_free(library: decoders.Decoders) -> None:
    """Calls through ctypes.CDLL release the interpreter; calls of the Python module do not."""
    library.warm()

    assert type(sphinx.library()).__name__ == "CDLL"
    program = (
        "import sys; from antiphon.nodes.local import sphinx; sphinx.Library().close(); "
        "sys.exit('pocketsphinx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_fillers_are_not_words_and_ways_to_say_a_word_are_one() -> None:
    segments = [("<s>", 0, 9, 1.0), ("read(2)", 10, 29, 0.5), ("<sil>", 30, 39, 1.0)]
    segments += [("[NOISE]", 40, 44, 1.0), ("++BREATH++", 45, 49, 1.0), ("o'clock", 50, 99, 1.01)]

    assert sphinx.words_of(segments) == (
        sphinx.Word("read", 0.1, 0.3, 0.5),
        sphinx.Word("o'clock", 0.5, 1.0, 1.0),
    )


def test_an_utterance_holds_its_lead_and_all_that_follows(say: Say) -> None:
    utterances = Utterances(end_silence=0.8, longest=30.0)
    spoken = say(TIME)
    sound = np.concatenate([silence(2.0), spoken, silence(2.0)])
    taken = b""
    began, over = set(), []
    for frame in frames(sound):
        if utterances.push(frame):
            over.append(utterances.now)
            taken += utterances.cut()
        elif utterances.open:
            began.add(utterances.began)
            taken += utterances.take()

    assert len(began) == len(over) == 1
    (start,) = began
    assert 1.6 <= start <= 2.0
    assert taken == sound[round(start * 16_000) : round(over[0] * 16_000)].tobytes()
    assert 0.5 <= over[0] - (2.0 + len(spoken) / 16_000) <= 0.84


def test_nothing_is_kept_of_silence_but_the_lead() -> None:
    utterances = Utterances(end_silence=0.8, longest=30.0)
    for frame in frames(silence(60.0)):
        utterances.push(frame)

    assert utterances.waiting == 0.0
    assert len(utterances.cut()) / 32_000 == pytest.approx(0.36, abs=0.021)
