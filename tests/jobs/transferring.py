"""A caller who is handed over to a human, by an agent in a worker of its own, and the human."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from livekit import api

from tests.jobs.workers import LONG, rooms_of, told, until
from tests.rooms.calling import RATE, Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.jobs.exchange import Asked, Exchange
    from tests.jobs.workers import Rooms
    from tests.livekit_server import LiveKitServer

BEFORE = """
from livekit.agents import llm
from antiphon import RunContext, ToolError, function_tool
from antiphon.beta.workflows import WarmTransferTask
from antiphon.simulate import ScriptedLLM, ScriptedTTS, calls

ANSWERS = {
    "a human, please": calls("transfer"),
    "two humans, please": calls("transfer").and_calls("transfer"),
    "transfer my phone": calls("cold"),
    "put me through": calls("connect_to_caller"),
    "I have no time": calls("decline_transfer", reason="no time"),
    "leave a message after the tone": calls("voicemail_detected"),
}


# Characters that voices were paid for.
def spoken(session):
    return sum(getattr(each, "characters_count", 0) for each in session.usage.model_usage)


def answer(context):
    last = context.items[-1]
    if last.type == "function_call_output":
        return f"Result: {last.output}."
    said = context.messages()[-1].text_content
    knows = "a human, please" in str(context.messages()[0].text_content)
    about = "They asked for a human." if knows else "I know of nothing."
    return ANSWERS.get(said, about if said == "what is it about?" else "Hm.")


class Clerk(Agent):
    @function_tool
    async def transfer(self, context: RunContext) -> str:
        task = WarmTransferTask(
            "+15105550123", sip_trunk_id="ST_line", sip_number="+15105550100", dtmf="ww12#",
            sip_headers={"X-Call": "7"}, ringing_timeout=25, chat_ctx=self.chat_ctx,
        )
        before = spoken(self.session)
        try:
            result = await task
        except ToolError as error:
            tell(get_job_context(), ["failed", error.message])
            raise
        tell(get_job_context(), ["spoken meanwhile", spoken(self.session) - before])
        tell(get_job_context(), ["transferred", result.human_agent_identity])
        return "transferred"

    @function_tool
    async def cold(self, context: RunContext) -> str:
        job = get_job_context()
        try:
            done = await job.transfer_sip_participant("caller", "tel:+15105550123")
        except Exception as error:
            return f"{type(error).__name__}, {error.sip_status_code}, {error.sip_status}"
        return f"moved: {done.transfer_id}"
"""
BODY = """
await appear(ctx)
session = AgentSession(llm=ScriptedLLM(answer), tts=ScriptedTTS(), user_away_timeout=None)
session.on("close", lambda event: tell(ctx, ["closed", event.reason.value]))
ctx.room.on("data_received", lambda _: session.shutdown())
await session.start(Clerk(instructions="You are a clerk."), room=ctx.room)
"""
TONE = (8000 * np.sin(np.arange(RATE) / 4)).astype(np.int16)
LINE_DROPS = "(the line drops)"
LOUD = 2000  # music on hold is louder than that, and so is a tone; a scripted voice is not


@dataclass(slots=True)
class Transfer:
    """A caller, a human who is called on their behalf, and the telephone exchange between."""

    server: LiveKitServer
    exchange: Exchange
    rooms: Rooms
    folder: Path
    room: str
    caller: Caller

    def told(self, what: str) -> list[Any]:
        return [each[1] for each in told(self.folder, self.room) if each[0] == what]

    async def says(self, text: str) -> None:
        """The agent says that to the caller."""
        await self.caller.until(lambda: any(text in line.text for line in self.caller.lines))

    async def asked(self, text: str = "a human, please") -> Asked:
        """The caller asks for a human, and the human's telephone rings."""
        if text:
            await self.caller.until(lambda: self.caller.state() == "listening")
            await self.caller.write(text)
        return await self.exchange.is_asked("SIP/CreateSIPParticipant", self.room)

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[Caller]:
        """The human, once the telephone was taken and the agent is there."""
        asked = await self.asked()
        who = asked.request.participant_identity
        async with Caller(self.server, asked.request.room_name, who) as human:
            await human.join(kind="sip")
            asked.answer(api.SIPParticipantInfo(participant_identity=who))
            await human.until(lambda: human.state() == "listening")
            yield human

    async def hears(self, who: Caller) -> None:
        """Somebody hears something from now on."""
        who.heard.clear()
        await who.until(lambda: np.abs(who.sound()).max(initial=0) > LOUD)

    async def gone(self, *rooms: str) -> None:
        for room in rooms:
            await self.rooms.present(room)


Served: TypeAlias = "tuple[Exchange, Path, LiveKitServer]"


@contextlib.asynccontextmanager
async def a_call(served: Served) -> AsyncIterator[Transfer]:
    exchange, folder, server = served
    log = next(folder.glob("program-*.log"))
    await until(lambda: "registered worker" in log.read_text(), LONG)
    exchange.moves = False
    room = f"transfer-{os.urandom(3).hex()}"
    async with rooms_of(server) as rooms, Caller(server, room) as caller:
        await caller.join(kind="sip")
        yield Transfer(server, exchange, rooms, folder, room, caller)
