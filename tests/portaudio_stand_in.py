"""A `sounddevice` played by script: devices that refuse, vanish, or know one rate only.

It keeps to what PortAudio does and no sound card here can be made to do: the list of devices is
that of when it was started, a stream of a device that has gone is no longer active, and what
cannot be opened raises `PortAudioError` with PortAudio's own numbers.
"""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from antiphon.nodes import devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DENIED = ("Unanticipated host error", -9999, (8, -13, "Permission denied"))
BUSY = ("Device unavailable", -9985)
WRONG_RATE = ("Invalid sample rate", -9997)
WRONG_CHANNELS = ("Invalid number of channels", -9998)
LATENCY = 0.02


class PortAudioError(Exception):
    """As sounddevice has it: a text, a number, and what the host says."""


class StandIn:
    """Mutable: the devices there really are, why one refuses, and what came out of which."""

    def __init__(self) -> None:
        self.there = ["Built-in", "USB Headset"]
        self.refuses: dict[str, tuple[object, ...]] = {}
        self.rate = 0  # the only one that is taken, in stereo
        self.host = "Script"
        self.starves = ""  # once: "late" in the midst of a block, which is lost, or "between" two
        self.played: dict[str, list[bytes]] = {}
        self.listed: list[str] = []
        self.streams: list[Stream] = []
        self.start()

    def start(self) -> None:
        """As PortAudio starts: it lists what there is, once."""
        assert not any(stream.running for stream in self.streams), "a stream is still open"
        self.listed = list(self.there)

    def unplug(self, name: str) -> None:
        self.there.remove(name)

    def module(self) -> ModuleType:
        module: Any = ModuleType("sounddevice")
        module.PortAudioError = PortAudioError
        module.query_hostapis = lambda: [{"name": self.host}]
        module.query_devices = self._devices
        module.get_portaudio_version = lambda: (1, "PortAudio of a script, 1")
        module.default = self
        module.RawInputStream = lambda **given: self._open("input", given)
        module.RawOutputStream = lambda **given: self._open("output", given)
        module._terminate = lambda: None
        module._initialize = self.start
        return module  # type: ignore[no-any-return]

    @property
    def device(self) -> tuple[int, int]:
        """The numbers of the default devices: the first there is."""
        return (0, 0) if self.listed else (-1, -1)

    def _devices(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "hostapi": 0,
                "max_input_channels": 2,
                "max_output_channels": 2,
                "default_samplerate": float(self.rate or 48_000),
            }
            for name in self.listed
        ]

    def _open(self, side: str, given: dict[str, Any]) -> Stream:
        name = self.listed[given["device"]]
        if refusal := self.refuses.get(f"{side} {name}"):
            raise PortAudioError(*refusal)
        if self.rate and given["samplerate"] != self.rate:
            raise PortAudioError(*WRONG_RATE)
        if self.rate and given["channels"] != 2:
            raise PortAudioError(*WRONG_CHANNELS)
        stream = Stream(self, side, name, given)
        self.streams.append(stream)
        return stream


class Stream:
    """One direction; asks for a block, or brings one, every ten milliseconds."""

    def __init__(self, machine: StandIn, side: str, name: str, given: dict[str, Any]) -> None:
        self._machine = machine
        self._side = side
        self._name = name
        self._samples: int = given["blocksize"]
        self._channels: int = given["channels"]
        self._callback: Callable[[Any, int, Any, Any], None] = given["callback"]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def running(self) -> bool:
        return not self._closed.is_set()

    @property
    def active(self) -> bool:
        return self.running and self._name in self._machine.there

    def start(self) -> None:
        self._thread.start()

    def abort(self, *, ignore_errors: bool) -> None:
        self._closed.set()
        self._thread.join()

    def close(self, *, ignore_errors: bool) -> None:
        self._closed.set()

    def _run(self) -> None:
        kept = self._machine.played.setdefault(self._name, [])
        noise = np.random.default_rng(0)
        status = None
        while not self._closed.wait(0.01):
            if self._name not in self._machine.there:
                continue  # it neither asks nor brings anything
            starves, late = "", False
            if self._side == "output":
                starves, self._machine.starves = self._machine.starves, ""
                late = starves == "late"
            now = time.monotonic() - 0.04 * late
            times = SimpleNamespace(
                currentTime=now,
                outputBufferDacTime=now + LATENCY,
                inputBufferAdcTime=now - LATENCY,
            )
            size = self._samples * self._channels
            block = bytearray((noise.standard_normal(size) * 20).astype(np.int16).tobytes())
            self._callback(block, self._samples, times, status)
            status = SimpleNamespace(output_underflow=True) if starves else None
            if self._side == "output" and not late:
                kept.append(bytes(block))


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """In place of the real one, for one test."""
    machine = StandIn()
    monkeypatch.setitem(sys.modules, "sounddevice", machine.module())
    devices.portaudio.cache_clear()
    yield machine
    devices.portaudio.cache_clear()
