"""`python -m bench.console [--calls N]`: what somebody at a microphone waits for.

A sound card made of null sinks, the same models, options and machine for both runtimes; LiveKit's
is the console of its `cli`, without its picture. Times are taken from the sound in front of the
microphone to the sound behind the speaker, and the floor is a bare stream that plays what it hears.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import livekit.agents as livekit
import numpy as np
import psutil

import antiphon
from antiphon.nodes import devices
from antiphon.nodes.console import SoundCard, Wanted
from antiphon.nodes.echo import Duplex
from antiphon.nodes.portaudio import BLOCK, LATENCY
from antiphon.nodes.wav import read_wav
from antiphon.pipeline.streams import Scope
from antiphon.simulated_sound import voice
from bench.room import REPLY, options, shown
from tests import sound_card as virtual

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

ROOT: Final = Path(__file__).parents[1]
STEP: Final = virtual.RATE // 1000  # samples: a millisecond
LOUD: Final = 1000  # of a 16-bit sample
CALLER: Final = 4000  # what the caller says is louder than that, and an echo of the agent is not
QUIET: Final = 0.4  # seconds without a sound that end a reply
WATCHED: Final = 8.0  # seconds for which a processor is watched


class Ear:
    """When there is sound at one place of the card, by `time.monotonic`.

    Sound arrives in lumps; its place is its count, and the quickest lump tells when it began.

    Mutable state: that beginning, how much has come, and the milliseconds that were loud.
    """

    def __init__(self, recorder: subprocess.Popen[bytes], loud: int = LOUD) -> None:
        self._recorder = recorder
        self._least = loud
        self._began = float("inf")
        self._steps = 0
        self._loud: list[int] = []
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def sounding(self) -> list[float]:
        return [self._began + step / 1000 for step in self._loud]

    def now(self) -> float:
        """The time of the last sound that has come."""
        return self._began + self._steps / 1000

    async def first(self, after: float) -> float:
        """When there is a sound after that time."""
        while True:
            for at in self.sounding():
                if at > after:
                    return at
            await asyncio.sleep(0.01)

    async def silence(self) -> float:
        """Wait until it is silent for `QUIET`; when the last sound was."""
        while True:
            sounding = self.sounding()
            if sounding and self.now() - sounding[-1] > QUIET:
                return sounding[-1]
            await asyncio.sleep(0.02)

    def close(self) -> None:
        virtual.end(self._recorder)
        self._thread.join()

    def _hear(self) -> None:
        assert self._recorder.stdout is not None
        left = b""
        while data := os.read(self._recorder.stdout.fileno(), 1 << 16):
            now = time.monotonic()
            left += data
            samples = np.frombuffer(left[: len(left) // (2 * STEP) * 2 * STEP], np.int16)
            left = left[2 * len(samples) :]
            for loud in abs(samples.astype(np.int32)).reshape(-1, STEP).max(axis=1) > self._least:
                if loud:
                    self._loud.append(self._steps)
                self._steps += 1
            self._began = min(self._began, now - self._steps / 1000)


class Place:
    """In front of the microphone and behind the speaker."""

    def __init__(self, card: virtual.SoundCard) -> None:
        self.card = card
        self.mouth = Ear(card.capture("vmic"), CALLER)
        self.speaker = Ear(card.capture("speaker.monitor"))

    async def answer(self) -> float:
        """Seconds from the end of what the caller says to the first sound of the answer."""
        self.card.speak(voice(0.8))
        await self.mouth.first(self.mouth.now())
        ended = await self.mouth.silence()
        return await self.speaker.first(ended) - ended

    async def barge_in(self, moment: float) -> float:
        """Seconds from the first sound of what the caller says into a reply to silence."""
        await self.answer()
        await asyncio.sleep(moment)
        spoke = self.mouth.now()
        self.card.speak(voice(0.8))
        began = await self.mouth.first(spoke)
        return await self.speaker.silence() - began

    async def echoed(self) -> float:
        """Seconds from the microphone to the speaker."""
        spoke = self.mouth.now()
        self.card.speak(voice(0.2))
        began = await self.mouth.first(spoke)
        heard = await self.speaker.first(spoke + 0.001)
        await self.speaker.silence()
        return heard - began

    def close(self) -> None:
        self.mouth.close()
        self.speaker.close()


Say = Any  # `session.say` of either runtime


@contextlib.asynccontextmanager
async def theirs() -> AsyncGenerator[Say]:
    from livekit.agents.cli import _legacy

    console = _legacy.AgentsConsole()
    session: livekit.AgentSession[None] = livekit.AgentSession(**options())
    console.acquire_io(loop=asyncio.get_running_loop(), session=session)
    console.set_microphone_enabled(True)
    console.set_speaker_enabled(True)
    await session.start(livekit.Agent(instructions="x"), record=False)
    try:
        yield session.say
    finally:
        await session.aclose()
        console.set_microphone_enabled(False)
        console.set_speaker_enabled(False)


@contextlib.asynccontextmanager
async def ours() -> AsyncGenerator[Say]:
    async with Scope("bench") as scope:
        card = SoundCard(scope, Wanted(aec=True), say=lambda line: None)
        await card.open()
        session: antiphon.AgentSession[None] = antiphon.AgentSession(**options())
        session.input.audio, session.output.audio = card.microphone, card.speaker
        await session.start(antiphon.Agent(instructions="x"))
        while card.echo is None or card.echo.duplex is not Duplex.FULL:
            await session.say(REPLY)
        try:
            yield session.say
        finally:
            await session.aclose()
            await card.close()


async def measured(card: virtual.SoundCard, runtime: Any, calls: int) -> dict[str, list[float]]:
    """Every case, in one call."""
    found: dict[str, list[float]] = {"answer": [], "barge-in": []}
    async with runtime() as say:
        found["listening"] = [await share(asyncio.sleep(WATCHED))]
        talking = say(" ".join([REPLY] * 4))
        await asyncio.sleep(1.0)
        found["talking"] = [await share(asyncio.sleep(WATCHED))]
        await talking
        place = Place(card)
        await asyncio.sleep(1.0)
        for number in range(calls):
            found["answer"].append(await place.answer())
            await place.speaker.silence()
            found["barge-in"].append(await place.barge_in(0.7 + 0.037 * number))
            await place.speaker.silence()
            await asyncio.sleep(0.5)
        place.close()
    return found


async def over_an_echo(card: virtual.SoundCard, runtime: Any, calls: int) -> list[float]:
    """Barge-ins where the microphone hears the speaker."""
    card.echo(-10, 0.04)
    async with runtime():
        place = Place(card)
        await asyncio.sleep(1.0)
        found = []
        for number in range(calls):
            found.append(await place.barge_in(0.7 + 0.037 * number))
            await place.speaker.silence()
            await asyncio.sleep(0.5)
        place.close()
    card.clear()
    return found


async def share(watched: Any) -> float:
    """What this process takes of a core meanwhile; in thousandths, to be shown like the others."""
    began, used = time.perf_counter(), time.process_time()
    await watched
    return (time.process_time() - used) / (time.perf_counter() - began) / 10


async def floor(card: virtual.SoundCard, calls: int) -> list[float]:
    def callback(heard: Any, plays: Any, samples: int, times: Any, status: Any) -> None:
        plays[:] = heard

    stream = devices.portaudio().RawStream(
        samplerate=virtual.RATE,
        blocksize=round(virtual.RATE * BLOCK),
        channels=1,
        dtype="int16",
        latency=LATENCY,
        callback=callback,
    )
    with stream:
        place = Place(card)
        await asyncio.sleep(1.0)
        found = [await place.echoed() for _ in range(calls)]
        place.close()
    return found


def program(card: virtual.SoundCard) -> dict[str, float]:
    """The command itself, with the built-in engines: until it listens, and its share of a core."""
    sample = str(ROOT / "samples" / "interruptions.py")
    began = time.perf_counter()
    console = subprocess.Popen(
        [sys.executable, "-m", "antiphon", "console", sample], stdout=subprocess.PIPE, text=True
    )
    assert console.stdout is not None
    while not console.stdout.readline().startswith("  with"):
        pass
    started = time.perf_counter() - began
    process = psutil.Process(console.pid)
    found = {"start": started, "listening": _used(process)}
    card.speak(read_wav(ROOT / "samples" / "callers" / "hums.wav").samples[: 5 * 16_000])
    while "agent" not in console.stdout.readline():
        pass
    found["talking"] = _used(process)
    console.terminate()
    console.communicate()
    return found


def _used(process: psutil.Process) -> float:
    process.cpu_percent()
    time.sleep(WATCHED)
    return float(process.cpu_percent()) / 100


def imported() -> float:
    """Seconds that `import livekit.agents` takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import livekit.agents"], check=True)
    return time.perf_counter() - began


@contextlib.contextmanager
def running() -> Iterator[virtual.SoundCard]:
    """The card, as the default of this process."""
    with tempfile.TemporaryDirectory() as folder:
        card = virtual.SoundCard(Path(folder))
        os.environ.update(card.environment)
        try:
            card.start()
            yield card
        finally:
            card.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--calls", type=int, default=10, help="how often each case is measured")
    calls: int = parser.parse_args().calls
    if lacking := virtual.missing():
        raise SystemExit(lacking)
    logging.basicConfig(level=logging.ERROR)
    with running() as card:
        bare = asyncio.run(floor(card, calls))
        their = asyncio.run(measured(card, theirs, calls))
        our = asyncio.run(measured(card, ours, calls))
        their["echo"] = asyncio.run(over_an_echo(card, theirs, calls))
        our["echo"] = asyncio.run(over_an_echo(card, ours, calls))
        starts = [(program(card), imported()) for _ in range(3)]
    say: Callable[[str], None] = print
    rows = [
        ("end of speech to first sound at the speaker, ms", "answer"),
        ("onset of speech to silence at the speaker, ms", "barge-in"),
        ("the same over an echo, -10 dB and 40 ms", "echo"),
        ("listening, % of a core", "listening"),
        ("talking, % of a core", "talking"),
    ]
    say(f"{'':52}{'LiveKit':>18}{'here':>18}{'floor':>18}")
    say(f"{'microphone to speaker, bare, ms':52}{'':36}{shown(bare):>18}")
    for title, case in rows:
        say(f"{title:52}{shown(their[case]):>18}{shown(our[case]):>18}")
    start, other = (
        median(each) for each in zip(*((p["start"], i) for p, i in starts), strict=True)
    )
    say(f"{'the command to listening, s':52}{'':18}{start:18.2f}")
    say(f"{'`import livekit.agents` in Python, s':52}{other:18.2f}")
    for case in ("listening", "talking"):
        used = 100 * median(found[case] for found, _ in starts)
        say(f"{f'the command, {case}, % of a core':52}{'':18}{used:18.1f}")


if __name__ == "__main__":
    main()
