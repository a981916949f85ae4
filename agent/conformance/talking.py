"""A spoken conversation with a model, over real sockets."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import utils

from antiphon.agent import Agent
from antiphon.conformance.studio import Studio, open_for_visits
from antiphon.conformance.wire import Asked, Server, reserved
from antiphon.options import ConnectOptions
from antiphon.pipeline.errors import AntiphonError
from antiphon.session import AgentSession
from antiphon.simulate import OWN, Call, ScriptedSTT, ScriptedTTS, ScriptedVAD, calling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from livekit.agents import TurnHandlingOptions, llm, tts

    from antiphon.conformance.provider import Provider
    from antiphon.simulated_models import Answers

    Listen = Callable[[], Awaitable[None]]

NO_DRAFT: Final[TurnHandlingOptions] = {"preemptive_generation": {"enabled": False}}


class Failed(AntiphonError):
    """The model, or the session with it, did not do what is asked; the message says what it did."""


def brief() -> Agent:
    return Agent(instructions="Be brief.")


class Talk:
    """A call, and the server that its model asks."""

    def __init__(self, call: Call, server: Server, model: llm.LLM[Any], listen: Listen) -> None:
        self.call = call
        self.server = server
        self.model = model
        self.listen = listen  # for a server that refused every connection until now

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked


@asynccontextmanager
async def talking(
    provider: Provider,
    server: Server,
    *,
    agent: Agent | None = None,
    faults: bool = False,
    deaf: bool = False,
    **options: Any,
) -> AsyncGenerator[Talk, None]:
    """A call in which the provider's model answers as the server says. Leaving it checks every law
    of a call, and that the server refused nothing. `deaf`: it listens only when it is told to."""
    options.setdefault("turn_handling", NO_DRAFT)
    options.setdefault("conn_options", ConnectOptions())
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        listen = await stack.enter_async_context(reserved(server))
        if not deaf:
            await listen()
        model = await stack.enter_async_context(provider.at(server.url))
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(), vad=ScriptedVAD(), tts=ScriptedTTS(), llm=model, **options
        )
        call = await stack.enter_async_context(
            calling(agent or brief(), session=session, llm=OWN, allow_errors=faults)
        )
        yield Talk(call, server, model, listen)
    if provider.close is not None:
        gc.collect()  # what its client dropped, closes now
    for _ in range(20):  # what was told to close is closed by then
        await asyncio.sleep(0)
    if server.refused:
        raise Failed(f"its request was refused: {server.refused[0]}")


@asynccontextmanager
async def visited(
    provider: Provider,
    studio: Studio,
    slot: str,
    answers: Answers,
    *,
    faults: bool = False,
    voice: tts.TTS[Any] | None = None,
    **engines: Any,
) -> AsyncGenerator[Call, None]:
    """A call in which the provider's recogniser or voice has its slot, and every law of a call
    holds; `engines` are the others, and `voice` is the caller's."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        await stack.enter_async_context(open_for_visits(studio))
        model = await stack.enter_async_context(provider.at(studio.url))
        given: dict[str, Any] = {**engines, slot: model}
        session: AgentSession[Any] = AgentSession(
            **given, turn_handling=NO_DRAFT, conn_options=ConnectOptions()
        )
        own: dict[str, Any] = dict.fromkeys(given, OWN)
        if voice is not None:
            own["voice"] = voice
        yield await stack.enter_async_context(
            calling(brief(), session=session, llm=answers, allow_errors=faults, **own)
        )
    if studio.refused:
        raise Failed(f"its request was refused: {studio.refused[0]}")


def given_up(call: Call, kind: str) -> list[Any]:
    """What the events of the call tell of: failures of this kind, and one at most that ended
    something."""
    told = [event.error for event in call.reported("error")]
    if others := {each.type for each in told} - {kind}:
        raise Failed(f"it was told as {', '.join(sorted(others))}")
    ended = [each for each in told if not each.recoverable]
    if len(ended) > 1:
        raise Failed(f"it ended in {len(ended)} events of an error")
    return told
