"""An agent and a caller in one room of a real server, until the caller leaves."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit import rtc

from antiphon import AgentSession
from tests.rooms.calling import FRAME, Caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon import Agent
    from antiphon.pipeline.timeline import Record
    from tests.livekit_server import LiveKitServer


@dataclass(slots=True)
class Held:
    """One call, while it is held and after it."""

    session: AgentSession[Any]
    caller: Caller
    closed: list[str] = field(default_factory=list)  # why

    def records(self, kind: str) -> list[Record]:
        return [record for record in self.session.timeline.records if record.kind == kind]

    def history(self, role: str) -> list[str]:
        messages = self.session.history.messages()
        return [message.text_content or "" for message in messages if message.role == role]

    def seconds(self) -> float:
        """How much the caller has heard."""
        return len(self.caller.sounding()) * FRAME


@contextlib.asynccontextmanager
async def in_room(server: LiveKitServer, name: str) -> AsyncGenerator[rtc.Room]:
    """The agent's room, as a job would have it."""
    room = rtc.Room()
    await room.connect(server.url, server.token("agent", name, kind="agent"))
    try:
        yield room
    finally:
        await room.disconnect()


@contextlib.asynccontextmanager
async def call(
    server: LiveKitServer, name: str, agent: Agent, *, join: bool = True, **options: Any
) -> AsyncGenerator[Held]:
    """`room_options` and `session_host` go to `session.start`, the others to the session."""
    start = {k: options.pop(k) for k in ("room_options", "session_host") if k in options}
    session: AgentSession[Any] = AgentSession(**{"user_away_timeout": None, **options})
    async with in_room(server, name) as room, Caller(server, name) as caller:
        held = Held(session, caller)
        session.on("close", lambda event: held.closed.append(event.reason.value))
        await session.start(agent, room=room, **start)
        try:
            if join:
                await caller.join()
                await session.room_io.wait_for_ready()
            yield held
            await caller.hear_out()
        finally:
            await session.aclose()
