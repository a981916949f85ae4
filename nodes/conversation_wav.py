"""Writes the recording of a conversation: a sound file of both sides, as heard."""

import logging
import struct
from io import FileIO
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from antiphon.pipeline.errors import BadAudio

logger = logging.getLogger("antiphon.wav")

HEADER = 44  # bytes
FRAME = 4  # bytes: two channels of 16 bits
# A WAV header counts bytes in 32 bits: twelve hours at 24 kHz.
LONGEST = (0xFFFF_FFFF - HEADER) // FRAME


class ConversationWav:
    """A 16-bit recording of both sides, the caller left and the agent right.

    Samples are placed by time, on either side, in any order; what nobody fills is silence. They go
    to the file at once, and its header follows at least every half second of sound, so that a
    process that is killed leaves a file which plays. A full disk ends the recording, not the call.
    """

    def __init__(self, path: str | Path, rate: int = 24000) -> None:
        self.path = Path(path)
        self.rate = rate
        self._samples = 0  # the length so far
        self._promised = 0  # the length in the header
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # No buffer: what was written is there when the process is not.
            self._file: FileIO | None = FileIO(self.path, "w+")
        except FileExistsError:
            raise BadAudio(f"cannot write {path}: {self.path.parent} is not a folder") from None
        except OSError as error:
            raise BadAudio(f"cannot write {path}: {error.strerror}") from error
        self._write_header()

    @property
    def duration(self) -> float:
        """Seconds recorded so far."""
        return self._samples / self.rate

    def write_user(self, at_sample: int, samples: NDArray[np.int16]) -> None:
        """Place what the caller said; `at_sample` counts from the beginning, at `rate`."""
        self._place(0, at_sample, samples)

    def write_agent(self, at_sample: int, samples: NDArray[np.int16]) -> None:
        """Place what was heard of the agent; `at_sample` counts from the beginning, at `rate`."""
        self._place(1, at_sample, samples)

    def close(self) -> None:
        """Finish the file; what comes later is dropped."""
        if self._file is not None:
            self._write_header()
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _place(self, side: int, at: int, samples: NDArray[np.int16]) -> None:
        samples = samples[max(0, -at) :]
        at = max(0, at)
        samples = samples[: max(0, LONGEST - at)]
        if self._file is None or not len(samples):
            return
        both = np.zeros((len(samples), 2), "<i2")
        try:
            if at < self._samples:
                self._file.seek(HEADER + at * FRAME)
                there = np.frombuffer(self._file.read(both.nbytes), "<i2").reshape(-1, 2)
                both[: len(there)] = there
            both[:, side] = samples
            self._file.seek(HEADER + at * FRAME)
            self._file.write(both.tobytes())
        except OSError as error:
            self._give_up(error)
            return
        self._samples = max(self._samples, at + len(samples))
        if self._samples - self._promised >= self.rate // 2:
            self._write_header()

    def _write_header(self) -> None:
        if self._file is None:
            return
        size = self._samples * FRAME
        riff = struct.pack("<4sI4s", b"RIFF", HEADER - 8 + size, b"WAVE")
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, self.rate, self.rate * FRAME, FRAME, 16)
        try:
            self._file.seek(0)
            self._file.write(riff + form + struct.pack("<4sI", b"data", size))
        except OSError as error:
            self._give_up(error)
            return
        self._promised = self._samples

    def _give_up(self, error: OSError) -> None:
        logger.error("the recording %s ends here: %s", self.path, error.strerror)
        if self._file is not None:
            self._file.close()
            self._file = None
