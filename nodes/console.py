"""A microphone and a loudspeaker for a session: `SoundCard` holds both, and what is between them.

What passes the devices is copied in their threads, with its time in the room, and looked at in the
loop. A device that goes away is looked for until there is one again; the conversation waits, and
goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import soxr

from antiphon.nodes import devices
from antiphon.nodes.echo import RATE, STEP, Duplex, Echo
from antiphon.nodes.loudspeaker import Loudspeaker
from antiphon.nodes.microphone import Microphone
from antiphon.nodes.outputs import DEFAULT_RATE
from antiphon.nodes.portaudio import Driver, PortAudio, Running
from antiphon.pipeline.errors import NoSound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from antiphon.nodes.devices import Device, Side
    from antiphon.nodes.local.sound import Samples
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.sound")

LOOKS: Final = 0.5  # seconds between two looks at the devices
SLOW: Final = 3.0  # seconds after which it is said that the sound system does not answer
DEAD: Final = 5.0  # seconds of perfect silence that no working microphone gives
SLIPS: Final = 0.015  # seconds that a stream may be off its own count before it is set anew


@dataclass(frozen=True, slots=True)
class Wanted:
    """Devices by number or a part of their name, "" for the default.

    `aec` None cancels echo unless the speaker is a headset.
    """

    microphone: str = ""
    speaker: str = ""
    aec: bool | None = None


class Passed(NamedTuple):
    """A block that passed a device, and the time of its first sample in the room."""

    side: Side
    at: float
    samples: Samples
    sounding: bool


class SoundCard:
    """`speaker` and `microphone`, once `open` has found devices for them.

    `say` is told, in a line, what the user should know. `on_agent` and `on_user` get what was
    really heard of either, with the loop time of its first sample.

    Mutable state: the two streams, their devices, and what passed them and waits for the loop.
    """

    def __init__(
        self,
        scope: Scope,
        wanted: Wanted,
        *,
        say: Callable[[str], None],
        on_agent: Callable[[float, memoryview], None] | None = None,
        on_user: Callable[[float, Samples], None] | None = None,
        driver: Driver | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.speaker = Loudspeaker(self._loop.time)
        self.microphone = Microphone()
        self.echo: Echo | None = None
        self._scope = scope
        self._wanted = wanted
        self._say = say
        self._on_agent = on_agent
        self._on_user = on_user
        self._driver = driver or PortAudio()
        self._devices: dict[Side, Device] = {}
        self._running: dict[Side, Running] = {}
        self._passed: deque[Passed] = deque()
        self._woken = False
        self._due = 0  # blocks from the microphone until there is a frame
        self._closing = False
        self._out = _Room(DEFAULT_RATE)
        self._in = _Room(RATE)
        self._silent = 0  # samples of perfect silence from the microphone

    async def open(self) -> None:
        """Open both devices; raises NoSound."""
        await self._loop.run_in_executor(None, self._open)
        self._begin()
        self._scope.start("sound card", self._watch())

    async def close(self) -> None:
        """Let go of the devices."""
        self._closing = True
        await self._loop.run_in_executor(None, self._close)
        self._look()

    @property
    def name(self) -> str:
        """The devices in use."""
        return " and ".join(
            f"{devices.NAMES[side]} {device.name}" for side, device in self._devices.items()
        )

    # Outside of the loop.

    def _open(self) -> None:
        try:
            for side, wanted in self._asked():
                self._devices[side] = self._found(side, wanted)
            speaker, microphone = self._devices["output"], self._devices["input"]
            self._running["output"] = self._driver.play(
                speaker, self.speaker.rate, self._fill, self.speaker.again
            )
            self._running["input"] = self._driver.record(microphone, RATE, self._take)
        except NoSound:
            self._close()
            raise

    def _asked(self) -> Iterator[tuple[Side, str]]:
        yield "input", self._wanted.microphone
        yield "output", self._wanted.speaker

    def _found(self, side: Side, wanted: str) -> Device:
        """The device that is wanted; later, when it has gone, any that will do."""
        try:
            return self._driver.device(side, wanted)
        except NoSound:
            if not wanted or self.echo is None:
                raise
            return self._driver.device(side, "")

    def _close(self) -> None:
        for running in self._running.values():
            running.close()
        self._running.clear()

    # In the devices' threads.

    def _fill(self, block: Samples, at: float) -> None:
        sounding = self.speaker.fill(block, at)
        self._passed.append(Passed("output", at, block.copy(), sounding))

    def _take(self, block: Samples, at: float) -> None:
        self._passed.append(Passed("input", at, block, True))
        self._due -= 1
        if self._due <= 0 and not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._look)
            except RuntimeError:  # the loop is closed; the device will be in a moment
                self._passed.clear()

    # In the loop.

    def _begin(self) -> None:
        """Both devices run: follow their rates."""
        speaker = self._devices["output"]
        self.speaker.plays_at(self._running["output"].rate)
        self._out.begin(self._running["output"].rate)
        self._in.begin(self._running["input"].rate)
        cancels = not speaker.headset if self._wanted.aec is None else self._wanted.aec
        self.echo = Echo(cancels=cancels, headset=speaker.headset, on_change=self._duplex)
        self._duplex(self.echo.duplex)

    def _duplex(self, duplex: Duplex) -> None:
        self._say(f"  hear   {duplex.value}")

    def _look(self) -> None:
        """Deal with everything that has passed the devices."""
        self._woken = False
        while self._passed:
            passed = self._passed.popleft()
            if self.echo is None:
                continue
            if passed.side == "output":
                self._went_out(passed, self.echo)
            else:
                self._came_in(passed, self.echo)
        # A frame is made of two blocks: for the first of them alone nobody need be woken.
        self._due = ceil((self.microphone.lacks - self._in.waiting) / STEP)

    def _went_out(self, passed: Passed, echo: Echo) -> None:
        at = self._out.placed(passed)
        if passed.sounding and self._on_agent is not None:
            self._on_agent(at, self._out.at_rate(passed.samples, self.speaker.rate).data)
        for number, step in enumerate(self._out.steps(passed.samples)):
            echo.went_out(at + number * STEP / RATE, step)

    def _came_in(self, passed: Passed, echo: Echo) -> None:
        at = self._in.placed(passed)
        self._notice_silence(passed.samples)
        for number, step in enumerate(self._in.steps(passed.samples)):
            began = at + number * STEP / RATE
            for then, clean in echo.came_in(began, step):
                heard = np.zeros_like(clean) if self.microphone.muted else clean
                if self._on_user is not None:
                    self._on_user(then, heard)
                self.microphone.hear(heard)

    def _notice_silence(self, samples: Samples) -> None:
        """A microphone that is muted or forbidden gives zeros and no error."""
        before = self._silent
        self._silent = 0 if samples.any() else before + len(samples)
        limit = DEAD * self._in.rate
        if before < limit <= self._silent:
            self._say(
                f"  hear   nothing at all comes from the {devices.NAMES['input']} "
                f"{self._devices['input'].name}: is it muted? else {devices.permit()}"
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOKS)
            if self._closing:
                return
            for side, running in list(self._running.items()):
                if not running.alive():
                    await self._again(side)
                    break

    async def _again(self, side: Side) -> None:
        """One device is gone, and PortAudio looks for others only when both are closed."""
        gone = self._devices[side].name
        self._say(f"  hear   the {devices.NAMES[side]} {gone} is gone; the call waits for another")
        said = ""
        while True:
            opening = self._loop.run_in_executor(None, self._reopen)
            _, slow = await asyncio.wait([opening], timeout=SLOW)
            if slow:
                self._say("  hear   the sound system does not answer; still waiting for it")
            try:
                await opening
                break
            except NoSound as error:
                if str(error) != said:
                    said = str(error)
                    self._say(f"  hear   {said}")
            await asyncio.sleep(LOOKS)
        if self._closing:
            return
        self._begin()
        self._say(f"  hear   going on with {self.name}")

    def _reopen(self) -> None:
        self._close()
        self._driver.refresh()
        self._open()
        if self._closing:  # meanwhile
            self._close()


class _Room:
    """One stream's samples at their place in time, and in steps of the canceller's.

    Mutable state: the count of its samples, the time of the first, and the resamplers.
    """

    def __init__(self, rate: int) -> None:
        self.begin(rate)

    def begin(self, rate: int) -> None:
        """A device was opened."""
        self.rate = rate
        self._count = 0
        self._since = 0.0
        self._left: Samples = np.empty(0, np.int16)
        self._to_steps = _resampler(rate, RATE)

    def placed(self, passed: Passed) -> float:
        """The time of a block by the count of samples, which does not jitter as clocks do."""
        at = self._since + self._count / self.rate
        if not self._count or abs(passed.at - at) > SLIPS:
            at = passed.at
            self._since, self._count = at, 0
        self._count += len(passed.samples)
        return at

    @property
    def waiting(self) -> int:
        """Samples that do not fill a step yet."""
        return len(self._left)

    def steps(self, samples: Samples) -> Iterator[Samples]:
        """Whole steps at the canceller's rate."""
        if self._to_steps is not None:
            samples = self._to_steps.resample_chunk(samples)
        samples = np.concatenate([self._left, samples]) if len(self._left) else samples
        whole = len(samples) - len(samples) % STEP
        self._left = samples[whole:]
        yield from samples[:whole].reshape(-1, STEP)

    def at_rate(self, samples: Samples, rate: int) -> Samples:
        """A block of the same length at `rate`: good enough for a record, and nothing kept back."""
        if rate == self.rate:
            return samples
        at = np.arange(len(samples) * rate // self.rate) * self.rate / rate
        return np.interp(at, np.arange(len(samples)), samples).astype(np.int16)


def _resampler(rate: int, wanted: int) -> soxr.ResampleStream | None:
    """LQ holds only a few samples back."""
    if rate == wanted:
        return None
    return soxr.ResampleStream(rate, wanted, 1, dtype="int16", quality="LQ")
