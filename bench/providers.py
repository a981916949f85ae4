"""What a language model costs in a session, on the wire: a server on loopback, in real time.

Each contestant is asked for a reply that never ends, and interrupted while it speaks. The same
server, in the same process, notes when it wrote the first word and when it was left.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from livekit import agents as livekit
from livekit import rtc
from livekit.agents import utils

import antiphon
from antiphon.conformance import NotInstalled, Provider, Reply, Server, named, serving
from bench.ends import OurSink, TheirSink
from bench.models import OUT_RATE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

Line = tuple[str, str, str, str, str]

# One of each wire protocol.
PROTOCOLS = (
    *("openai", "openai responses", "openai responses by websocket", "mistral", "anthropic"),
    *("google", "amazon bedrock"),
)
RUNTIMES: tuple[Any, Any] = (livekit, antiphon)
LEFT_WITHIN = 0.5  # seconds after which a connection counts as kept open
QUIET = rtc.AudioFrame(bytes(OUT_RATE // 5 * 2), OUT_RATE, 1, OUT_RATE // 5)


class Reading:
    """A `tts_node` for either Agent class, which notes when the first text of a reply came."""

    first: asyncio.Future[float]

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: Any
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for _ in text:
            if not self.first.done():
                self.first.set_result(asyncio.get_running_loop().time())
            yield QUIET


class OurReader(Reading, antiphon.Agent):
    pass


class TheirReader(Reading, livekit.Agent):
    pass


@dataclass
class Talk:
    """A session with its agent."""

    session: Any
    agent: Any


@asynccontextmanager
async def talk(runtime: Any, provider: Provider, url: str) -> AsyncGenerator[Talk, None]:
    """A conversation with that model, in our package or in LiveKit's."""
    reader = OurReader if runtime is antiphon else TheirReader
    sink = OurSink() if runtime is antiphon else TheirSink()
    async with provider.at(url) as model:
        held = Talk(
            runtime.AgentSession(llm=model, user_away_timeout=None),
            reader(instructions="Be brief."),
        )
        held.session.output.audio = sink
        await held.session.start(held.agent, record=False)
        try:
            yield held
        finally:
            await held.session.aclose()
            if isinstance(sink, TheirSink):
                await sink.aclose()


async def turns(runtime: Any, provider: Provider, number: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the first word on the socket to the first text at `tts_node`, and from an
    interruption to the connection's end, for as many turns; the second empty if it stays open."""
    server = Server(provider.speaks(), script=lambda _: Reply("Sure.", endless=True))
    texts, ends = [], []
    loop = asyncio.get_running_loop()
    async with (
        utils.http_context.open(),
        serving(server),
        talk(runtime, provider, server.url) as held,
    ):
        for _ in range(number):
            held.agent.first = loop.create_future()
            speech = held.session.generate_reply(user_input="Go on.")
            heard = await held.agent.first
            asked = server.asked[-1]
            texts.append(1000 * (heard - asked.first))
            await asyncio.sleep(0.2)
            decided = loop.time()
            speech.interrupt(force=True)
            await speech
            await asyncio.sleep(LEFT_WITHIN)
            if asked.left is not None and asked.left < decided + LEFT_WITHIN:
                ends.append(1000 * (asked.left - decided))
    return texts, ends


async def crowd(runtime: Any, number: int) -> tuple[int, int, int]:
    """How many of so many sessions at once were answered, how many connections there were at most,
    and how many file descriptors were left over."""
    provider = named("openai")
    server = Server(provider.speaks(), script=lambda _: Reply("Here is your answer. It is short."))
    async with utils.http_context.open(), serving(server):
        before = descriptors()
        with_models = [talk(runtime, provider, server.url) for _ in range(number)]
        held = [await each.__aenter__() for each in with_models]
        speeches = []
        for each in held:
            each.agent.first = asyncio.get_running_loop().create_future()
            speeches.append(each.session.generate_reply(user_input="Hello"))
        for speech in speeches:
            await speech
        most = descriptors() - before
        answered = sum(_answered(each.session) for each in held)
        for context in with_models:
            await context.__aexit__(None, None, None)
        await asyncio.sleep(0.5)
        return answered, most, descriptors() - before


def _answered(session: Any) -> bool:
    return any(message.role == "assistant" for message in session.history.messages())


def descriptors() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def costs(quick: bool) -> list[Line]:
    """Each protocol's two numbers, beside LiveKit's."""
    number = 3 if quick else 20
    lines: list[Line] = []
    for name in PROTOCOLS:
        try:
            theirs, ours = (
                asyncio.run(turns(runtime, named(name), number)) for runtime in RUNTIMES
            )
        except NotInstalled as error:
            lines.append((f"{name}: {error}", "–", "–", "–", "–"))
            continue
        text = f"{name}: first token to text at tts_node, ms"
        lines.append(
            (text, _typical(theirs[0]), "–", _typical(ours[0]), "a token there, a chunk here")
        )
        end = f"{name}: barge-in to connection closed, ms"
        lines.append((end, _typical(theirs[1]), "–", _typical(ours[1]), "<= 50"))
    return lines


def _typical(found: list[float]) -> str:
    return f"{median(found):.1f} (max {max(found):.1f})" if found else "stays open"


def crowded(quick: bool) -> list[Line]:
    """A hundred at once."""
    number = 20 if quick else 100
    cells = []
    for runtime in RUNTIMES:
        answered, most, left = asyncio.run(crowd(runtime, number))
        cells.append(f"{answered} answered, {left} of {most} descriptors left")
    measure = f"{number} sessions at once on one chat server"
    return [(measure, cells[0], "–", cells[1], "all, and none left")]


CASES: dict[str, Callable[[bool], list[Line]]] = {"providers": costs, "crowd": crowded}
