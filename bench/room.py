"""`python -m bench.room [--calls N]`: what a caller in a LiveKit room waits for, by their own ear.

One real server, one caller, the same models, options and machine for both runtimes; times are of
the one clock that the caller's mouth and ear share. The floor is a participant that plays back
what it hears.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import livekit.agents as livekit
import numpy as np
from livekit import rtc

import antiphon
from antiphon.simulated_sound import noise, voice
from bench.models import Pace, ScriptedLLM
from bench.room_models import LoudSTT, LoudVAD, ToneTTS, lasts
from tests.livekit_server import binary, serving
from tests.rooms.calling import FRAME, RATE, Caller
from tests.rooms.holding import in_room

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.livekit_server import LiveKitServer

REPLY: Final = "This is a reply that goes on for a while so that somebody may talk into it"
QUIET: Final = 0.4  # seconds without a sound that end a reply
COUGH: Final = 0.4  # seconds
LISTEN: Final = 10  # seconds in which nobody says anything

# The same for both: LiveKit's own defaults are 0.5 s and 2 s here, ours 0.2 s and 1 s.
TURNS: Final[Any] = {
    "turn_detection": "vad",
    "endpointing": {"min_delay": 0.3, "max_delay": 3.0},
    "interruption": {"mode": "vad", "min_duration": 0.2, "false_interruption_timeout": 1.0},
    "preemptive_generation": {"enabled": True},
}


def options() -> dict[str, Any]:
    return {
        "vad": LoudVAD(),
        "stt": LoudSTT("book a table"),
        "llm": ScriptedLLM(Pace(text=REPLY, first_token=0.1)),
        "tts": ToneTTS(),
        "turn_handling": TURNS,
        "aec_warmup_duration": None,
        "user_away_timeout": None,
    }


@contextlib.asynccontextmanager
async def theirs(room: rtc.Room) -> AsyncGenerator[None]:
    session: livekit.AgentSession[None] = livekit.AgentSession(**options())
    await session.start(livekit.Agent(instructions="x"), room=room, record=False)
    try:
        yield
    finally:
        await session.aclose()


@contextlib.asynccontextmanager
async def ours(room: rtc.Room) -> AsyncGenerator[None]:
    session: antiphon.AgentSession[None] = antiphon.AgentSession(**options())
    await session.start(antiphon.Agent(instructions="x"), room=room)
    try:
        yield
    finally:
        await session.aclose()


@contextlib.asynccontextmanager
async def echo(room: rtc.Room) -> AsyncGenerator[None]:
    """The floor: nothing between the ear and the mouth but the two directions of the transport."""
    mouth = rtc.AudioSource(48_000, 1, queue_size_ms=20)
    echoing: list[asyncio.Task[None]] = []

    async def back(track: rtc.Track) -> None:
        async with aclosing(rtc.AudioStream(track, frame_size_ms=10)) as stream:
            async for event in stream:
                await mouth.capture_frame(event.frame)

    room.on("track_subscribed", lambda track, *_: echoing.append(asyncio.create_task(back(track))))
    track = rtc.LocalAudioTrack.create_audio_track("echo", mouth)
    microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await room.local_participant.publish_track(track, microphone)
    try:
        yield
    finally:
        for task in echoing:
            task.cancel()
        await asyncio.gather(*echoing, return_exceptions=True)
        await mouth.aclose()


async def first_sound(caller: Caller, after: float) -> float:
    """When the ear hears something that was said after that loop time."""
    while True:
        for at in caller.sounding()[-500:]:
            if at > after:
                return at
        await asyncio.sleep(0.005)


async def silence(caller: Caller) -> float:
    """Wait until it is silent for `QUIET`; when the last sound was."""
    while True:
        sounding = caller.sounding()
        if sounding and asyncio.get_running_loop().time() - sounding[-1] > QUIET:
            return sounding[-1]
        await asyncio.sleep(0.02)


async def answer(caller: Caller) -> float:
    """Seconds from the end of what the caller says to the first sound of the answer."""
    await caller.speak(voice(0.8))
    ended = asyncio.get_running_loop().time()
    return await first_sound(caller, ended) - ended


async def barge_in(caller: Caller, moment: float) -> float:
    """Seconds from the first sound of what the caller says into a reply to silence."""
    await answer(caller)
    await asyncio.sleep(moment)
    began = asyncio.get_running_loop().time()
    speaking = asyncio.create_task(caller.speak(voice(0.8)))
    silent = await silence(caller) - began
    await speaking
    return silent


async def cough(caller: Caller) -> float:
    """Seconds of a reply that are missing when it goes on after a cough."""
    await answer(caller)
    heard = len(caller.sounding())
    await asyncio.sleep(1.0)
    await caller.speak(noise(COUGH))
    await silence(caller)
    await asyncio.sleep(2.0)  # it goes on a second after the cough's end, once that is noticed
    await silence(caller)
    return lasts(REPLY) - (len(caller.sounding()) - heard + 1) * FRAME


async def measured(server: LiveKitServer, runtime: Any, calls: int) -> dict[str, list[float]]:
    """Every case `calls` times, in one call."""
    name = f"bench-{runtime.__name__}"
    found: dict[str, list[float]] = {"answer": [], "barge-in": [], "lost": []}
    async with in_room(server, name) as room, Caller(server, name) as caller, runtime(room):
        await caller.join()
        await asyncio.sleep(1.5)
        for number in range(calls):
            found["answer"].append(await answer(caller))
            await silence(caller)
            found["barge-in"].append(await barge_in(caller, 0.7 + 0.037 * number))
            await silence(caller)
            await asyncio.sleep(0.5)
            found["lost"].append(await cough(caller))
    return found


@contextlib.asynccontextmanager
async def nothing(room: rtc.Room) -> AsyncGenerator[None]:
    """The floor of listening: the caller alone, and nobody who reads what they say."""
    yield


async def listening(server: LiveKitServer, runtime: Any) -> float:
    """Share of a processor that goes into hearing a caller who is silent, theirs included."""
    name = f"bench-{runtime.__name__}-cpu"
    hiss = np.random.default_rng(1).normal(0, 20, RATE * LISTEN).astype(np.int16)
    async with in_room(server, name) as room, Caller(server, name) as caller, runtime(room):
        await caller.join(listen=False)
        await asyncio.sleep(1.5)
        loop = asyncio.get_running_loop()
        cpu, began = time.process_time(), loop.time()
        await caller.speak(hiss)
        return (time.process_time() - cpu) / (loop.time() - began)


async def floor(server: LiveKitServer, calls: int) -> list[float]:
    found = []
    async with (
        in_room(server, "bench-echo") as room,
        Caller(server, "bench-echo") as caller,
        echo(room),
    ):
        await caller.join()
        await asyncio.sleep(1.5)
        for _ in range(calls):
            began = asyncio.get_running_loop().time()
            speaking = asyncio.create_task(caller.speak(voice(0.3)))
            found.append(await first_sound(caller, began) - began)
            await speaking
            await silence(caller)
    return found


def shown(seconds: list[float]) -> str:
    ordered = sorted(1000 * s for s in seconds)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"{median(ordered):5.0f} (p95 {p95:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.room", description=__doc__)
    parser.add_argument("--calls", type=int, default=12, help="how often each case is measured")
    calls: int = parser.parse_args().calls
    if not binary().exists():
        raise SystemExit("there is no LiveKit server: make livekit-server builds it, once")
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        bare = asyncio.run(floor(server, calls))
        their = asyncio.run(measured(server, theirs, calls))
        our = asyncio.run(measured(server, ours, calls))
        cpu = [f"{asyncio.run(listening(server, r)):.1%}" for r in (theirs, ours, nothing)]
    rows = [
        ("mouth to ear through a participant that echoes, ms", "", "", shown(bare)),
        ("end of speech to first sound at the caller's ear, ms", "answer"),
        ("barge-in to silence at the caller's ear, ms", "barge-in"),
        ("sound missing after a cough, ms", "lost"),
        ("processor while nobody speaks (frames of 50 and 20 ms)", *cpu),
    ]
    print(f"{'':56}{'LiveKit':>18}{'here':>18}{'floor':>18}")  # noqa: T201
    for title, *cells in rows:
        if len(cells) == 1:
            cells = [shown(their[cells[0]]), shown(our[cells[0]]), ""]
        print(f"{title:56}" + "".join(f"{cell:>18}" for cell in cells))  # noqa: T201


if __name__ == "__main__":
    main()
