"""Many sessions at once on one server."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

from livekit.agents import utils

from antiphon import Agent, AgentSession
from antiphon.conformance import Reply, Server, named, serving
from antiphon.nodes.outputs import Paced
from antiphon.simulate import ScriptedTTS

SESSIONS = 100
SAID = "Here is your answer. It is short."


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def session_of(stack: AsyncExitStack, model: Any) -> AgentSession[Any]:
    session: AgentSession[Any] = AgentSession(llm=model, tts=ScriptedTTS())
    session.output.audio = Paced(rate=1000)
    await session.start(Agent(instructions="Be brief."))
    stack.push_async_callback(session.aclose)
    return session


async def test_a_hundred_sessions_at_once_are_answered_and_leave_no_descriptor() -> None:
    server = Server(named("openai").speaks(), script=lambda _: Reply(SAID))
    async with utils.http_context.open(), serving(server):
        before = descriptors()
        async with AsyncExitStack() as stack:
            # A client of its own takes longer to make than its session: ten share one.
            places = [named("openai").at(server.url) for _ in range(SESSIONS // 10)]
            models = [await stack.enter_async_context(place) for place in places]
            sessions = [await session_of(stack, models[n % 10]) for n in range(SESSIONS)]
            speeches = [session.generate_reply(user_input="Hello") for session in sessions]
            for speech in speeches:
                await speech
            assert descriptors() >= before + SESSIONS  # each has a connection of its own
            said = [session.history.messages()[-1].text_content for session in sessions]
        for _ in range(50):  # what was told to close is closed by then, at the server's end too
            await asyncio.sleep(0)
        assert descriptors() <= before
    assert said == [SAID] * SESSIONS
    assert len(server.asked) == SESSIONS
    assert server.refused == []
