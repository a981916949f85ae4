"""Streams to and from a device, through PortAudio: blocks of 10 ms, in a thread of PortAudio's.

What a stream calls there must only copy.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from antiphon.nodes import devices

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.nodes.devices import Device, Side

logger = logging.getLogger("antiphon.sound")

Samples: TypeAlias = NDArray[np.int16]

BLOCK: Final = 0.01  # seconds
# Seconds that lie in the device and cannot be taken back; a Python callback needs some.
LATENCY: Final = 0.03
CLOCKS: Final = 200  # blocks by which two clocks are compared
LATE: Final = 0.02  # seconds after which the device has nothing left of the blocks before
STALLS: Final = 3.0  # seconds without a block after which a device counts as gone
FARTHEST: Final = 1.0  # seconds: a device that says more about its latency says nothing


Fill: TypeAlias = "Callable[[Samples, float], None]"
"""Fills a block (mono), of which the first sample will be heard at that time."""
Take: TypeAlias = "Callable[[Samples, float], None]"
"""Takes a block (mono), of which the first sample was heard at that time."""


class Running(Protocol):
    """An open stream of mono 16-bit samples."""

    @property
    def rate(self) -> int: ...

    def alive(self) -> bool:
        """The device still takes or gives blocks."""

    def close(self) -> None:
        """Be silent at once; may take a moment, and is to be called outside of the loop."""


class Driver(Protocol):
    """Where streams come from. Every call may take a moment; all raise NoSound."""

    def version(self) -> str:
        """Which library does it."""

    def refresh(self) -> None:
        """Look at the devices anew; every stream must be closed."""

    def device(self, side: Side, wanted: str) -> Device: ...

    def play(
        self, device: Device, rate: int, fill: Fill, lost: Callable[[], None] = ...
    ) -> Running:
        """Start at `rate`, or at what the device takes instead.

        `lost` is called before `fill` when nobody will hear the block filled before.
        """

    def record(self, device: Device, rate: int, take: Take) -> Running:
        """Start at `rate`, or at what the device takes instead."""


class PortAudio:
    """The driver over PortAudio; times are of `time.monotonic`, the ordinary loop's clock."""

    def version(self) -> str:
        return devices.version()

    def refresh(self) -> None:
        devices.refresh()

    def device(self, side: Side, wanted: str) -> Device:
        return devices.device(side, wanted)

    def play(
        self, device: Device, rate: int, fill: Fill, lost: Callable[[], None] = lambda: None
    ) -> Running:
        stream = _Stream("output", device, rate)

        def callback(data: Any, samples: int, times: Any, status: Any) -> None:
            if stream.loses(status):
                lost()
            later = times.outputBufferDacTime - times.currentTime
            at = stream.asked(times, status) + (later if 0.0 < later < FARTHEST else LATENCY)
            if stream.channels == 1:
                fill(np.frombuffer(data, np.int16), at)
                return
            block = np.empty(samples, np.int16)
            fill(block, at)
            np.frombuffer(data, np.int16).reshape(samples, -1)[:] = block[:, None]

        stream.open(callback)
        return stream

    def record(self, device: Device, rate: int, take: Take) -> Running:
        stream = _Stream("input", device, rate)

        def callback(data: Any, samples: int, times: Any, status: Any) -> None:
            ago = times.currentTime - times.inputBufferAdcTime
            at = stream.asked(times, status) - (ago if 0.0 < ago < FARTHEST else LATENCY)
            take(np.frombuffer(data, np.int16)[:: stream.channels].copy(), at)

        stream.open(callback)
        return stream


class _Stream:
    """One direction of one device.

    Mutable state: when the last block was asked for, whether it was filled too late, and how far
    its clock was from ours of late.
    """

    def __init__(self, side: Side, device: Device, rate: int) -> None:
        self.rate = rate
        self.channels = 1
        self._side = side
        self._device = device
        self._last = 0.0
        self._late = False
        self._apart: deque[float] = deque(maxlen=CLOCKS)
        self._stream: Any = None

    def open(self, callback: Callable[[Any, int, Any, Any], None]) -> None:
        """Start it, at a rate and with as many channels as the device takes."""
        library = devices.portaudio()
        kind = library.RawInputStream if self._side == "input" else library.RawOutputStream
        refused: Exception | None = None
        for rate, channels in _ways(self.rate, self._device.rate):
            self.rate, self.channels = rate, channels
            try:
                self._stream = kind(
                    samplerate=self.rate,
                    blocksize=round(self.rate * BLOCK),
                    device=self._device.number,
                    channels=self.channels,
                    dtype="int16",
                    latency=LATENCY,
                    callback=callback,
                    extra_settings=_settings(library, self._device),
                )
                self._last = time.monotonic()
                self._stream.start()
                return
            except library.PortAudioError as error:
                refused = error
                if len(error.args) < 2 or error.args[1] not in (devices.RATE, devices.CHANNELS):
                    break
        assert refused is not None
        raise devices.explained(refused, self._device, self._side) from refused

    def asked(self, times: Any, status: Any) -> float:
        """The device wants a block, or brings one; when it said so, by `time.monotonic`.

        PortAudio has a clock of its own, and read it before this thread had to wait for Python.
        The shortest wait of late tells how far apart the two clocks are.
        """
        if status:
            logger.debug("the %s was late: %s", devices.NAMES[self._side], status)
        self._last = time.monotonic()
        self._apart.append(self._last - times.currentTime)
        nearest = min(self._apart)
        self._late = self._apart[-1] - nearest > LATE
        return float(times.currentTime) + nearest

    def loses(self, status: Any) -> bool:
        """The block before was thrown away; to be asked before `asked`.

        When ALSA's buffer has run dry, PortAudio begins anew with an empty one. In it was the block
        that came too late, if one did: measured on PulseAudio, 36 of 36 such blocks were lost, and
        none where the device was starved between two blocks (3 of 3).
        """
        return (
            self._late and bool(status and status.output_underflow) and "ALSA" in self._device.host
        )

    def alive(self) -> bool:
        return bool(self._stream.active) and time.monotonic() - self._last < STALLS

    def close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)


def _ways(rate: int, own: int) -> list[tuple[int, int]]:
    """Rates and channels to try; some devices know one rate, and some no mono."""
    return list(dict.fromkeys((each, channels) for channels in (1, 2) for each in (rate, own)))


def _settings(library: Any, device: Device) -> Any:
    """Windows' shared mode knows one rate; it converts when it is asked to."""
    return library.WasapiSettings(auto_convert=True) if "WASAPI" in device.host else None
