import logging
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.nodes.conversation_wav import ConversationWav
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.errors import BadAudio

RATE = 24000


def sides(path: Path) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The caller's and the agent's samples, read by the standard library."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def ramp(first: int, count: int) -> NDArray[np.int16]:
    return np.arange(first, first + count, dtype=np.int16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "conversation.wav"


def test_the_caller_is_left_and_the_agent_right(path: Path) -> None:
    with ConversationWav(path, RATE) as file:
        file.write_user(0, ramp(1, 480))
        file.write_agent(0, ramp(1001, 480))
    caller, agent = sides(path)
    assert np.array_equal(caller, ramp(1, 480))
    assert np.array_equal(agent, ramp(1001, 480))


def test_samples_lie_at_their_time_and_silence_lies_between(path: Path) -> None:
    with ConversationWav(path, RATE) as file:
        file.write_user(1000, ramp(1, 10))
        file.write_agent(5000, ramp(1, 10))
        assert file.duration == 5010 / RATE
    caller, agent = sides(path)
    assert len(caller) == len(agent) == 5010
    assert np.array_equal(np.flatnonzero(caller), np.arange(1000, 1010))
    assert np.array_equal(np.flatnonzero(agent), np.arange(5000, 5010))


def test_any_order_of_writing_leaves_the_same_file(path: Path, tmp_path: Path) -> None:
    # Frames of different lengths, so that one side's overlap the other's in every way.
    user = [(at, ramp(at % 30000 + 1, 480)) for at in range(0, 48000, 480)]
    agent = [(at, ramp(at % 30000 + 7, 250)) for at in range(0, 48000, 300)]
    with ConversationWav(path, RATE) as file:
        for at, samples in user:
            file.write_user(at, samples)
        for at, samples in agent:
            file.write_agent(at, samples)
    writes = [(True, *write) for write in user] + [(False, *write) for write in agent]
    for seed in range(5):
        other = tmp_path / f"{seed}.wav"
        with ConversationWav(other, RATE) as file:
            for index in np.random.default_rng(seed).permutation(len(writes)):
                by_user, at, samples = writes[index]
                (file.write_user if by_user else file.write_agent)(at, samples)
        assert other.read_bytes() == path.read_bytes()


def test_sound_from_before_the_beginning_is_left_out(path: Path) -> None:
    with ConversationWav(path, RATE) as file:
        file.write_user(-5, ramp(1, 10))
        file.write_agent(-100, ramp(1, 10))
    caller, agent = sides(path)
    assert list(caller) == [6, 7, 8, 9, 10]
    assert not agent.any()


def test_a_killed_process_leaves_a_file_that_plays_but_for_half_a_second(path: Path) -> None:
    file = ConversationWav(path, RATE)
    for at in range(0, 10 * RATE, 480):
        file.write_user(at, ramp(1, 480))
        caller, _ = sides(path)  # as anyone finds it who looks now, or after a kill
        assert at + 480 - len(caller) < RATE // 2
        assert np.array_equal(caller, np.tile(ramp(1, 480), len(caller) // 480))
    file.close()
    assert len(sides(path)[0]) == 10 * RATE


def test_a_conversation_without_a_sound_is_still_a_file(path: Path) -> None:
    ConversationWav(path, RATE).close()
    caller, agent = sides(path)
    assert not len(caller)
    assert not len(agent)


def test_what_was_written_can_be_read_as_a_caller(path: Path) -> None:
    with ConversationWav(path, 16000) as file:
        file.write_user(0, ramp(0, 100) * 100)
        file.write_agent(0, ramp(0, 100) * 200)
    assert np.array_equal(read_wav(path).samples, ramp(0, 100) * 150)


def test_after_the_end_nothing_more_is_written(path: Path) -> None:
    file = ConversationWav(path, RATE)
    file.write_user(0, ramp(1, 100))
    file.close()
    before = path.read_bytes()
    file.write_agent(50, ramp(1, 100))
    file.close()
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadAudio, match=r"cannot write .*conversation\.wav: .*file is not a folder"):
        ConversationWav(tmp_path / "file" / "conversation.wav")
    with pytest.raises(BadAudio, match=r"cannot write .*: Is a directory"):
        ConversationWav(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_ends_the_recording_and_not_the_call(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        file = ConversationWav("/dev/full", RATE)
        file.write_user(0, ramp(1, 100))
        file.write_agent(0, ramp(1, 100))
        file.close()
    assert caplog.messages == ["the recording /dev/full ends here: No space left on device"]


def test_more_than_a_header_can_count_is_left_out(path: Path) -> None:
    longest = (2**32 - 1 - 44) // 4
    with ConversationWav(path, RATE) as file:
        file.write_user(longest - 5, ramp(1, 10))  # a hole before it: takes no room on the disk
        file.write_agent(longest + 100, ramp(1, 10))
        assert file.duration == longest / RATE
    with path.open("rb") as raw:
        assert struct.unpack("<I", raw.read(44)[40:]) == (longest * 4,)
