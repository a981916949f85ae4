import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.nodes.wav import open_wav, read_wav
from antiphon.pipeline.errors import BadAudio

CALLERS = Path(__file__).parents[2] / "samples" / "callers"

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, length: int | None = None) -> bytes:
    promised = len(body) if length is None else length
    return name + struct.pack("<I", promised) + body + b"\0" * (len(body) % 2)


def fmt(
    encoding: int, bits: int, channels: int = 1, rate: int = 16000, extensible: bool = False
) -> bytes:
    stride = channels * ((bits + 7) // 8)
    tag = EXTENSIBLE if extensible else encoding
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * stride, stride, bits)
    if extensible:
        body += struct.pack("<HHIH", 22, bits, 0, encoding) + GUID_TAIL
    return chunk(b"fmt ", body)


def riff(*chunks: bytes, length: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return chunk(b"RIFF", body, length)


def encoded(wave: NDArray[np.float64], encoding: int, bits: int) -> bytes:
    """A wave between -1 and 1 as a file of that format holds it."""
    if encoding == FLOAT:
        return wave.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.round(wave * 127 + 128).astype(np.uint8).tobytes()
    whole = np.round(wave * (2 ** (bits - 1) - 1)).astype("<i4")
    octets: NDArray[np.uint8] = whole.view(np.uint8).reshape(-1, 4)
    return octets[:, : (bits + 7) // 8].tobytes()


def tone(rate: int = 16000, seconds: float = 0.5, hertz: float = 440.0) -> NDArray[np.float64]:
    t = np.arange(round(rate * seconds)) / rate
    return np.asarray(0.5 * np.sin(2 * np.pi * hertz * t), np.float64)


def plain(wave: NDArray[np.float64], rate: int = 16000) -> bytes:
    return riff(fmt(PCM, 16, rate=rate), chunk(b"data", encoded(wave, PCM, 16)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "caller.wav"


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(
    ("encoding", "bits", "step"),
    [
        (PCM, 8, 2**-7),
        (PCM, 16, 2**-15),
        (PCM, 24, 2**-15),
        (PCM, 32, 2**-15),
        (FLOAT, 32, 2**-15),
        (FLOAT, 64, 2**-15),
    ],
)
def test_every_linear_format_sounds_the_same(
    path: Path, encoding: int, bits: int, step: float, extensible: bool
) -> None:
    wave = tone()
    data = chunk(b"data", encoded(wave, encoding, bits))
    path.write_bytes(riff(fmt(encoding, bits, extensible=extensible), data))
    heard = read_wav(path)
    assert heard.rate == 16000
    assert len(heard.samples) == len(wave)
    assert np.abs(heard.samples / 32768 - wave).max() <= 1.5 * step


def test_sixteen_bits_at_the_wanted_rate_come_through_bit_for_bit(path: Path) -> None:
    given = np.random.default_rng(1).integers(-32768, 32768, 5000).astype("<i2")
    path.write_bytes(riff(fmt(PCM, 16), chunk(b"data", given.tobytes())))
    assert np.array_equal(read_wav(path).samples, given)


def test_twenty_bits_lie_at_the_top_of_three_bytes(path: Path) -> None:
    form = chunk(b"fmt ", struct.pack("<HHIIHH", PCM, 1, 16000, 48000, 3, 20))
    data = (np.array([1 << 22], "<i4").view(np.uint8)[:3]).tobytes() * 100
    path.write_bytes(riff(form, chunk(b"data", data)))
    assert set(read_wav(path).samples) == {1 << 14}


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_channels_are_mixed_to_their_mean(path: Path, channels: int) -> None:
    sides = np.stack([tone() * (side + 1) / channels for side in range(channels)], axis=1)
    path.write_bytes(
        riff(fmt(PCM, 16, channels), chunk(b"data", encoded(sides.reshape(-1), PCM, 16)))
    )
    assert np.abs(read_wav(path).samples / 32768 - sides.mean(axis=1)).max() < 2**-14


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 96000])
def test_any_rate_keeps_the_length_and_the_pitch(path: Path, rate: int) -> None:
    path.write_bytes(plain(tone(rate, 1.0, 1000.0), rate))
    heard = read_wav(path)
    assert heard.duration == pytest.approx(1.0, abs=0.001)
    middle = heard.samples[4000:12000] / 32768
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 16000 / len(middle) == pytest.approx(1000.0, abs=2.1)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_too_loud_or_senseless_floats_are_clipped(path: Path) -> None:
    given = np.array([2.0, -2.0, np.inf, -np.inf, np.nan, 0.25])
    path.write_bytes(riff(fmt(FLOAT, 32), chunk(b"data", encoded(given, FLOAT, 32))))
    assert list(read_wav(path).samples) == [32767, -32768, 32767, -32768, 0, 8192]


def test_blocks_are_whole_and_the_last_is_filled_with_silence(path: Path) -> None:
    given = np.arange(1, 1001).astype("<i2")
    path.write_bytes(riff(fmt(PCM, 16), chunk(b"data", given.tobytes())))
    blocks = list(open_wav(path, block=0.02))
    assert [len(block) for block in blocks] == [320] * 4
    assert np.array_equal(np.concatenate(blocks), np.pad(given, (0, 280)))
    assert all(block.dtype == np.int16 for block in blocks)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_blocks_and_the_whole_are_the_same_sound(path: Path, rate: int) -> None:
    path.write_bytes(plain(tone(rate, 1.23), rate))
    source = open_wav(path, rate=24000, block=0.01)
    assert source.duration == 1.23
    once, again = np.concatenate(list(source)), np.concatenate(list(source))
    whole = read_wav(path, rate=24000).samples
    assert np.array_equal(once[: len(whole)], whole)
    assert np.array_equal(once, again)


def test_a_block_must_be_a_whole_number_of_samples(path: Path) -> None:
    path.write_bytes(plain(tone()))
    with pytest.raises(ValueError, match="not a whole number of samples"):
        open_wav(path, rate=11025, block=0.01)


def test_half_an_hour_is_read_a_little_at_a_time(path: Path) -> None:
    frames = 1800 * 16000
    with path.open("wb") as file:
        head = riff(fmt(PCM, 16), chunk(b"data", b"", frames * 2), length=36 + frames * 2)
        file.write(head)
        file.truncate(len(head) + frames * 2)  # a hole: takes no room on the disk
    source = open_wav(path)
    assert source.duration == 1800.0
    assert sum(1 for _ in source) == 90_000
    assert max(len(piece) for piece in source.pieces()) <= 1600


def test_chunks_before_and_after_the_sound_are_not_heard(path: Path) -> None:
    wave = tone()
    data = chunk(b"data", encoded(wave, PCM, 16))
    odd = chunk(b"LIST", b"odd length!")
    path.write_bytes(riff(odd, fmt(PCM, 16), chunk(b"fact", b"\1\0\0\0"), data, odd))
    assert np.array_equal(read_wav(path).samples, np.round(wave * 32767))


@pytest.mark.parametrize(
    ("data_length", "riff_length"),
    [(0, 0), (0, 36), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF000, 0x7FFFF024)],
)
def test_a_streamed_file_is_read_to_its_end(
    path: Path, data_length: int, riff_length: int, caplog: pytest.LogCaptureFixture
) -> None:
    wave = tone()
    data = chunk(b"data", encoded(wave, PCM, 16), data_length)
    path.write_bytes(riff(fmt(PCM, 16), data, length=riff_length))
    assert len(read_wav(path).samples) == len(wave)
    assert not caplog.records


def test_a_long_file_says_its_length_in_64_bits(path: Path) -> None:
    wave = tone()
    body = encoded(wave, PCM, 16)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(body), len(wave), 0))
    tail = chunk(b"LIST", b"not sound")
    content = riff(ds64, fmt(PCM, 16), chunk(b"data", body, 0xFFFFFFFF), tail, length=0xFFFFFFFF)
    path.write_bytes(b"RF64" + content[4:])
    assert len(read_wav(path).samples) == len(wave)


@pytest.mark.parametrize("lost", [1, 2, 1001])
def test_of_a_truncated_sound_all_there_is_is_heard(
    path: Path, lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    wave = tone()
    path.write_bytes(plain(wave)[:-lost])
    with caplog.at_level(logging.WARNING):
        heard = read_wav(path)
    left = (len(wave) * 2 - lost) // 2
    assert np.array_equal(heard.samples, np.round(wave * 32767)[:left])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cut short" in caplog.text


WHOLE = plain(tone())
BAD = {
    "is empty": b"",
    "is not a WAV file": b"\xff\xfb\x90\x00 some other sound" * 10,
    "header is cut short": WHOLE[:30],
    "no 'fmt ' before 'data'": riff(chunk(b"data", b"\0\0" * 100)),
    "holds no sound": riff(fmt(PCM, 16), chunk(b"data", b""), chunk(b"LIST", b"silent")),
    "holds ADPCM": riff(fmt(2, 8), chunk(b"data", b"\0\0")),
    "holds format 4660": riff(fmt(0x1234, 16), chunk(b"data", b"\0\0")),
    "0 channels": riff(fmt(PCM, 16, channels=0), chunk(b"data", b"\0\0")),
    "at 0 samples a second": riff(fmt(PCM, 16, rate=0), chunk(b"data", b"\0\0")),
    "of 48 bits": riff(fmt(PCM, 48), chunk(b"data", b"\0" * 12)),
}


@pytest.mark.parametrize(("problem", "content"), BAD.items(), ids=list(BAD))
def test_a_file_that_cannot_be_heard_says_why_in_one_line(
    path: Path, problem: str, content: bytes
) -> None:
    path.write_bytes(content)
    with pytest.raises(BadAudio, match=problem) as caught:
        open_wav(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(path: Path) -> None:
    with pytest.raises(BadAudio, match=r"there is no file .*caller\.wav"):
        open_wav(path)
    with pytest.raises(BadAudio, match="is a folder"):
        open_wav(path.parent)


def test_a_header_cut_at_any_byte_is_refused_without_a_traceback(path: Path) -> None:
    for length in range(44):
        path.write_bytes(WHOLE[:length])
        with pytest.raises(BadAudio):
            open_wav(path)


TELEPHONES = [
    (MU_LAW, b"\xff\x80\x00\x7f", [0, 32124, -32124, 0]),
    (A_LAW, b"\xd5\x55\xaa\x2a", [8, -8, 32256, -32256]),
]


@pytest.mark.parametrize(("encoding", "octets", "samples"), TELEPHONES)
def test_what_a_telephone_recorded_is_read(
    path: Path, encoding: int, octets: bytes, samples: list[int]
) -> None:
    path.write_bytes(riff(fmt(encoding, 8), chunk(b"data", octets)))
    assert read_wav(path).samples.tolist() == samples


def test_a_pipe_is_no_file_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(BadAudio, match="is a pipe or a device: save the sound into a file first"):
        open_wav(path)


def test_the_recorded_callers_are_audible_and_silent_in_between() -> None:
    callers = sorted(CALLERS.glob("*.wav"))
    assert [file.stem for file in callers] == ["hello", "hesitates", "hums", "interrupts"]
    assert sum(file.stat().st_size for file in callers) < 1_000_000
    for file in callers:
        samples = read_wav(file, 12_000).samples.astype(np.int32)
        assert np.abs(samples).max() == round(0.7 * 32767)
        assert not samples[: 3 * 12_000].any()  # a greeting is listened to first
        assert not samples[-3_000:].any()
