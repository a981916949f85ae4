"""Speech-to-speech: our session beside LiveKit's, with the same plugin at the same server.

The server is the tests' own: OpenAI's protocol on loopback, in this process. The user's frames say
by their values that they are voiced, and the samples at the sink are counted.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit import agents as livekit
from livekit.agents import utils

import antiphon
from antiphon.conformance import LoopbackLoop
from bench.ends import Caller, Counting, OurSink, TheirSink
from bench.models import OUT_RATE
from tests.realtime.rows import OPENAI
from tests.realtime.script import Answer, Model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SILENCE: Final = 0.2  # seconds that end a turn, at the server
LIMIT: Final = 20.0  # seconds for anything to happen
FRAME: Final = 0.02  # seconds of one of the caller's frames


class Talk:
    """One session with its ends. Mutable state: what the server notes."""

    def __init__(self, session: Any, agent: Any, sink: OurSink | TheirSink, model: Model) -> None:
        self.session = session
        self.agent = agent
        self.sink = sink
        self.model = model
        self.caller = Caller()

    @property
    def count(self) -> Counting:
        return self.sink.count

    async def begins(self) -> float:
        """Say something; seconds from the first audio on the socket to the first at the sink."""
        began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made = len(self.model.made)
        self.count.clear()
        self.count.on_first = lambda: None if began.done() else began.set_result(None)
        self.caller.speak(0.3)
        async with asyncio.timeout(LIMIT):
            await began
        first = self.model.made[made].first
        assert first is not None
        return self.count.writes[0] - first

    async def interrupted(self, after: float) -> tuple[float, float]:
        """Speak over the reply; seconds until the server is told where it was cut, and how many
        milliseconds that is beside what was heard."""
        await asyncio.sleep(after)
        told = len(self.model.truncated)
        self.caller.speak(0.2)
        onset = asyncio.get_running_loop().time()
        async with asyncio.timeout(LIMIT):
            while len(self.model.truncated) == told:  # noqa: ASYNC110  # the same for both
                await asyncio.sleep(0.002)
        _, milliseconds, at = self.model.truncated[-1]
        self.sink.idle()  # what was played until now is noted
        heard = len(self.count.heard()) * 1000 / OUT_RATE
        await asyncio.sleep(0.1)
        return at - onset, abs(milliseconds - heard)


@asynccontextmanager
async def talk(ours: bool, answer: Answer) -> AsyncGenerator[Talk, None]:
    """A conversation with a model that answers every turn with `answer`."""
    model = Model(script=lambda made: answer)
    model.silence = SILENCE
    async with utils.http_context.open(), OPENAI.serving(model):
        realtime = OPENAI.make(model.url)
        sink: OurSink | TheirSink = OurSink() if ours else TheirSink()
        session: Any
        if ours:
            session = antiphon.AgentSession(llm=realtime, vad=None, user_away_timeout=None)
            made = Talk(session, antiphon.Agent(instructions="x"), sink, model)
        else:
            session = livekit.AgentSession(
                llm=realtime,
                vad=None,
                turn_handling={"turn_detection": "realtime_llm"},
                user_away_timeout=None,
                aec_warmup_duration=None,
            )
            made = Talk(session, livekit.Agent(instructions="x"), sink, model)
        session.input.audio, session.output.audio = made.caller, sink
        await session.start(made.agent, **({} if ours else {"record": False}))
        try:
            await asyncio.sleep(0.5)
            yield made
        finally:
            await session.aclose()
            if isinstance(sink, TheirSink):
                await sink.aclose()
            await realtime.aclose()


async def first_sound(ours: bool, times: int) -> list[float]:
    """Milliseconds from the first audio delta on the socket to the first frame at the output."""
    found = []
    async with talk(ours, Answer("Hi.", wait=0.05)) as held:
        for _ in range(times + 2):
            found.append(await held.begins() * 1000)
            await asyncio.sleep(1.0)
    return found[2:]


async def cuts(ours: bool, times: int) -> tuple[list[float], list[float]]:
    """Of each barge-in: milliseconds until the server was told, and how far from what was heard."""
    points = random.Random(5)
    told, beside = [], []
    async with talk(ours, Answer(endless=True, wait=0.05)) as held:
        await held.begins()
        for _ in range(times):
            seconds, milliseconds = await held.interrupted(points.uniform(0.2, 1.5))
            told.append(seconds * 1000)
            beside.append(milliseconds)
            await again(held)
    return told, beside


async def again(held: Talk) -> None:
    """The words over the reply are answered too: wait until that is heard."""
    held.count.clear()
    async with asyncio.timeout(LIMIT):
        while not held.count.writes:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def counted(work: Any) -> Any:
    """Run it in counted time: sockets are real, and nothing is waited for."""
    with asyncio.Runner(loop_factory=LoopbackLoop) as runner:
        return runner.run(work)
