"""A spoken conversation with a model of the documentation, over real sockets."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import utils

from antiphon import Agent, AgentSession
from antiphon.options import ConnectOptions
from antiphon.simulate import OWN, Call, ScriptedSTT, ScriptedTTS, ScriptedVAD, calling
from tests.providers.wire import Asked, Server, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit.agents import TurnHandlingOptions, llm

    from tests.providers.rows import Row

NO_DRAFT: Final[TurnHandlingOptions] = {"preemptive_generation": {"enabled": False}}


def brief() -> Agent:
    return Agent(instructions="Be brief.")


class Talk:
    """A call, and the server that its model asks."""

    def __init__(self, call: Call, server: Server, model: llm.LLM[Any]) -> None:
        self.call = call
        self.server = server
        self.model = model

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked


@asynccontextmanager
async def talking(
    row: Row, server: Server, *, agent: Agent | None = None, faults: bool = False, **options: Any
) -> AsyncGenerator[Talk, None]:
    """A call in which `row`'s model answers as the server says. Leaving it checks every law, and
    that the server refused nothing."""
    options.setdefault("turn_handling", NO_DRAFT)
    options.setdefault("conn_options", ConnectOptions())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        await stack.enter_async_context(serving(server))
        model = row.make(server.url)
        if row.left_open:
            stack.push_async_callback(getattr(model, row.left_open).close)
        stack.push_async_callback(model.aclose)
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(), vad=ScriptedVAD(), tts=ScriptedTTS(), llm=model, **options
        )
        call = await stack.enter_async_context(
            calling(agent or brief(), session=session, llm=OWN, allow_errors=faults)
        )
        yield Talk(call, server, model)
    if row.left_open:
        gc.collect()  # what its client dropped, closes now
    for _ in range(20):  # what was told to close is closed by then
        await asyncio.sleep(0)
    assert server.refused == [], server.refused
