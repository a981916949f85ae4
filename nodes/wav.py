"""Reads a recorded caller from a WAV file, whatever its format.

Taken is any linear WAV (8 to 32 bit integers, 32 and 64 bit floats, extensible, RF64, any
number of channels, any rate) and what telephones make (mu-law, A-law); given is 16-bit mono at the
rate that was asked for. The standard
library's `wave` refuses floats, and on 3.11 extensible files, hence a parser of our own. What a
file says about itself is checked against what it holds: recordings are often cut short.
"""

import logging
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from antiphon.nodes import g711
from antiphon.pipeline.errors import BadAudio

logger = logging.getLogger("antiphon.wav")

Samples = NDArray[np.int16]

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
WIDTHS = {PCM: (1, 2, 3, 4), FLOAT: (4, 8), A_LAW: (1,), MU_LAW: (1,)}  # bytes
NAMES = {2: "ADPCM", 17: "IMA ADPCM", 80: "MPEG", 85: "MP3"}
# Writers that cannot seek put a stand-in for the length: 0, the largest number, sox nearly 2 GiB.
UNKNOWN_LENGTH = 0x7FFF_0000
RATES = range(1000, 768_001)  # Hz; outside of it a header is nonsense rather than exotic


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a WAV file keeps its sound, and how."""

    encoding: int  # one of WIDTHS
    width: int  # bytes of one sample of one channel
    channels: int
    rate: int  # Hz
    start: int  # of the sound, in bytes
    frames: int  # samples per channel

    @property
    def stride(self) -> int:
        """Bytes of one sample of every channel."""
        return self.width * self.channels


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole sound in memory: 16-bit mono `samples` at `rate` Hz."""

    samples: Samples
    rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate


class WavSource:
    """A WAV file as blocks of 16-bit mono, each `block` seconds long; it may be read again.

    Only a tenth of a second is in memory at a time, so half an hour costs no more than a word.
    """

    def __init__(self, path: str | Path, rate: int = 16000, block: float = 0.02) -> None:
        samples = round(rate * block)
        if samples < 1 or abs(samples - rate * block) > 1e-6:
            raise ValueError(f"{block} s is not a whole number of samples at {rate} Hz")
        self.path = Path(path)
        self.rate = rate
        self.block_samples = samples
        with _opened(self.path) as file:
            self._layout = _read_layout(file, self.path)

    @property
    def duration(self) -> float:
        """Seconds of sound in the file."""
        return self._layout.frames / self._layout.rate

    def pieces(self) -> Iterator[Samples]:
        """The sound as it comes from the file and the resampler, in pieces of any length."""
        layout = self._layout
        resampler = (
            soxr.ResampleStream(layout.rate, self.rate, 1, dtype="float32", quality="HQ")
            if layout.rate != self.rate
            else None
        )
        at_once = max(1, layout.rate // 10)
        with _opened(self.path) as file:
            file.seek(layout.start)
            left = layout.frames
            while left > 0:
                data = file.read(min(left, at_once) * layout.stride)
                sound = _mono(data[: len(data) - len(data) % layout.stride], layout)
                left = left - len(sound) if len(sound) else 0  # it may have shrunk meanwhile
                if resampler is not None:
                    sound = resampler.resample_chunk(sound, last=left == 0)
                yield _sixteen_bits(sound)

    def __iter__(self) -> Iterator[Samples]:
        """Blocks of exactly `block_samples`, the last one filled up with silence."""
        pending = np.zeros(0, np.int16)
        for piece in self.pieces():
            pending = np.concatenate([pending, piece])
            whole = len(pending) - len(pending) % self.block_samples
            for at in range(0, whole, self.block_samples):
                yield pending[at : at + self.block_samples].copy()
            pending = pending[whole:]
        if len(pending):
            yield np.concatenate([pending, np.zeros(self.block_samples - len(pending), np.int16)])


def open_wav(path: str | Path, rate: int = 16000, block: float = 0.02) -> WavSource:
    """A WAV file to be read block by block; `BadAudio` says what is wrong with it, in one line."""
    return WavSource(path, rate, block)


def read_wav(path: str | Path, rate: int = 16000) -> Recording:
    """A whole WAV file, for short ones: two megabytes a minute at 16 kHz."""
    pieces = list(WavSource(path, rate, 1.0).pieces())
    return Recording(np.concatenate([np.zeros(0, np.int16), *pieces]), rate)


def _opened(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise BadAudio(f"{path} is a folder, not a WAV file")
        if path.exists() and not path.is_file():  # it is read twice, and its size is asked
            raise BadAudio(f"{path} is a pipe or a device: save the sound into a file first")
        return path.open("rb")
    except FileNotFoundError:
        raise BadAudio(f"there is no file {path}") from None
    except OSError as error:
        raise BadAudio(f"cannot read {path}: {error.strerror}") from error


def _read_layout(file: BinaryIO, path: Path) -> Layout:
    """Walk the chunks as far as the sound."""
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise BadAudio(f"{path} is empty")
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or (len(head) == 12 and head[8:] != b"WAVE"):
        raise BadAudio(
            f"{path} is not a WAV file; convert it, for example: sox {path.name} out.wav"
        )
    form: tuple[int, int, int, int] | None = None
    length64 = 0
    while len(header := file.read(8)) == 8:
        name, length = header[:4], int.from_bytes(header[4:], "little")
        if name == b"data":
            if form is None:
                raise BadAudio(f"{path} does not say what its sound is: no 'fmt ' before 'data'")
            if length == 0xFFFF_FFFF and length64:
                length = length64
            riff = int.from_bytes(head[4:8], "little")
            return _checked(path, form, file.tell(), _length(path, length, file.tell(), size, riff))
        body = file.read(min(length, 64)) if name in (b"fmt ", b"ds64") else b""
        if name == b"fmt ":
            form = _read_format(body, path)
        elif name == b"ds64" and len(body) >= 16:
            length64 = int.from_bytes(body[8:16], "little")
        file.seek(length - len(body) + length % 2, os.SEEK_CUR)
    raise BadAudio(f"{path} ends before its sound begins: the header is cut short")


def _read_format(body: bytes, path: Path) -> tuple[int, int, int, int]:
    """The encoding, the bytes of one sample, the channels and the rate that 'fmt ' promises."""
    if len(body) < 16:
        raise BadAudio(f"{path} ends before its sound begins: the header is cut short")
    encoding, channels, rate, _, stride, bits = struct.unpack_from("<HHIIHH", body)
    if encoding == EXTENSIBLE and len(body) >= 26:
        encoding = int.from_bytes(body[24:26], "little")
    # The stride counts: twenty bits lie at the top of three bytes.
    width = stride // channels if channels and stride % channels == 0 else 0
    width = width or (bits + 7) // 8
    if encoding not in WIDTHS:
        name = NAMES.get(encoding, f"format {encoding}")
        raise BadAudio(
            f"{path} holds {name}, which is not read here;"
            f" convert it, for example: sox {path.name} -e signed-integer -b 16 out.wav"
        )
    if width not in WIDTHS[encoding] or not channels or rate not in RATES:
        raise BadAudio(
            f"{path} makes no sense: {channels} channels of {bits} bits at {rate} samples a second"
        )
    return encoding, width, channels, rate


def _length(path: Path, promised: int, start: int, size: int, riff: int) -> int:
    """The bytes of sound there are in a file of `size` bytes whose header promised some number."""
    there = max(0, size - start)
    unknown = promised == 0 and abs(riff + 8 - size) > 1  # else the rest is other chunks
    if unknown or (promised > there and promised >= UNKNOWN_LENGTH):
        return there
    if promised > there:
        logger.warning(
            "%s is cut short: it promises %d bytes of sound and holds %d", path, promised, there
        )
    return min(promised, there)


def _checked(path: Path, form: tuple[int, int, int, int], start: int, length: int) -> Layout:
    encoding, width, channels, rate = form
    frames = length // (width * channels)
    if not frames:
        raise BadAudio(f"{path} holds no sound")
    return Layout(encoding, width, channels, rate, start, frames)


def _mono(data: bytes, layout: Layout) -> NDArray[np.float32]:
    """Frames of any layout as one channel between -1 and 1, the mean of all channels."""
    sound: NDArray[np.float64]
    if layout.encoding == FLOAT:
        given = np.frombuffer(data, f"<f{layout.width}").astype(np.float64)
        sound = np.asarray(np.clip(np.nan_to_num(given), -1.0, 1.0), np.float64)
    elif layout.encoding in (A_LAW, MU_LAW):
        table = g711.A_LAW if layout.encoding == A_LAW else g711.MU_LAW
        sound = table[np.frombuffer(data, np.uint8)] / 32768
    elif layout.width == 1:  # the only unsigned width
        sound = (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    else:
        # The bytes of every width go to the top of 32 bits, where they mean the same.
        wide = np.zeros((len(data) // layout.width, 4), np.uint8)
        wide[:, 4 - layout.width :] = np.frombuffer(data, np.uint8).reshape(-1, layout.width)
        sound = wide.view("<i4")[:, 0] / 2.0**31
    mixed: NDArray[np.float64] = sound.reshape(-1, layout.channels).mean(axis=1)
    return mixed.astype(np.float32)


def _sixteen_bits(sound: NDArray[np.float32]) -> Samples:
    return np.clip(np.round(sound * 32768.0), -32768, 32767).astype(np.int16)
