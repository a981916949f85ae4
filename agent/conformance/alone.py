"""A model that answers by itself: what can be seen of it from outside, whatever it says."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import utils
from livekit.agents.metrics import LLMModelUsage

from antiphon.agent import Agent
from antiphon.conformance.checks import AT_ONCE, Check, see
from antiphon.conformance.talking import NO_DRAFT
from antiphon.session import AgentSession
from antiphon.simulate import (
    OWN,
    Call,
    ScriptedSTT,
    ScriptedTTS,
    ScriptedVAD,
    calling,
    interrupts,
    listens,
    says,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.conformance.provider import Provider

LONG_STORY: Final = "tell me a story of twenty long sentences please"


class Watching(Agent):
    """Notes when each piece of an answer came, and when its stream was closed, in loop time."""

    def __init__(self) -> None:
        super().__init__(instructions="You are on the phone; say what you are asked for.")
        self.came: list[list[float]] = []
        self.closed: list[float] = []

    async def llm_node(
        self, chat_ctx: Any, tools: Any, model_settings: Any
    ) -> AsyncGenerator[Any, None]:
        clock, came = asyncio.get_running_loop().time, list[float]()
        self.came.append(came)
        try:
            node = Agent.default.llm_node(self, chat_ctx, tools, model_settings)
            async with aclosing(node) as pieces:
                async for piece in pieces:
                    came.append(clock())
                    yield piece
        finally:
            self.closed.append(clock())


@asynccontextmanager
async def _calling(provider: Provider, agent: Watching) -> AsyncGenerator[Call, None]:
    async with utils.http_context.open(), provider.at("") as model:
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(),
            vad=ScriptedVAD(),
            tts=ScriptedTTS(),
            llm=model,
            turn_handling=NO_DRAFT,
        )
        async with calling(agent, session=session, llm=OWN) as call:
            yield call


async def words(provider: Provider) -> str:
    """It answers, in pieces, and the answer is heard."""
    agent = Watching()
    async with _calling(provider, agent) as call:
        await call.play(says("count from one to twenty please"), listens())
    see(call.said("agent"), "it said nothing")
    pieces = len(agent.came[0])
    see(pieces > 1, "its answer came in one piece")
    return f"{pieces} pieces"


async def barge_in(provider: Provider) -> str:
    """A barge-in closes its stream, and the next turn is answered."""
    agent = Watching()
    async with _calling(provider, agent) as call:
        await call.play(
            says(LONG_STORY), interrupts("stop please say only yes", into=1.0), listens()
        )
    (cut,) = call.records("cut")
    see(len(call.said("agent")) == 2, "the turn after it was not answered")
    late = agent.closed[0] - call.start - cut.t
    if late < 0:
        return "its answer was whole before it was cut"
    see(late <= AT_ONCE, f"its stream was closed {late:.2f} s later")
    return f"{1000 * late:.0f} ms"


async def usage(provider: Provider) -> str:
    """It says what it used."""
    async with _calling(provider, Watching()) as call:
        await call.play(says("say yes"), listens())
    used = [u for u in call.session.usage.model_usage if isinstance(u, LLMModelUsage)]
    see(used and used[0].output_tokens, "it does not say what it used, so nothing has a price")
    return f"{used[0].input_tokens} tokens in, {used[0].output_tokens} out"


BY_ITSELF: Final = (
    Check("words", "it answers in pieces, and the answer is heard", words),
    Check("barge-in", "a barge-in closes its stream within 50 ms", barge_in),
    Check("usage", "it says what it used", usage),
)
