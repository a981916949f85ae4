"""A call is handed over to a human, who is called by telephone into a room of their own.

The server is a real one. In the place of its SIP service is what the test answers with: whoever it
has joined the human's room is the human, and the caller is in the other one.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from livekit import api
from livekit.protocol.sip import TransferSIPParticipantResponse

from tests.jobs.exchange import exchange_of
from tests.jobs.workers import at_work, rooms_of, told, until, write
from tests.rooms.calling import RATE, Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.jobs.exchange import Asked, Exchange
    from tests.jobs.workers import Rooms
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

BEFORE = """
from livekit.agents import llm
from antiphon import RunContext, ToolError, function_tool
from antiphon.beta.workflows import WarmTransferTask
from antiphon.simulate import ScriptedLLM, ScriptedTTS, calls

ANSWERS = {
    "a human, please": calls("transfer"),
    "transfer my phone": calls("cold"),
    "put me through": calls("connect_to_caller"),
    "I have no time": calls("decline_transfer", reason="no time"),
    "leave a message after the tone": calls("voicemail_detected"),
}


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
        try:
            result = await task
        except ToolError as error:
            tell(get_job_context(), ["failed", error.message])
            raise
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

    async def asked(self) -> Asked:
        """The caller asks for a human, and the human's telephone rings."""
        await self.caller.until(lambda: self.caller.state() == "listening")
        await self.caller.write("a human, please")
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


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, livekit_server: LiveKitServer
) -> Iterator[tuple[Exchange, Path, LiveKitServer]]:
    """A worker without a name: it is sent to every room that does not ask for another one."""
    folder = tmp_path_factory.mktemp("transfers")
    program = write(folder, BODY, BEFORE, agent="")
    with exchange_of(livekit_server) as (exchange, front), at_work(program, front) as worker:
        assert worker.running
        yield exchange, folder, livekit_server


Served: TypeAlias = "tuple[Exchange, Path, LiveKitServer]"


@contextlib.asynccontextmanager
async def a_call(served: Served) -> AsyncIterator[Transfer]:
    exchange, folder, server = served
    log = next(folder.glob("program-*.log"))
    await until(lambda: "registered worker" in log.read_text())
    exchange.moves = False
    room = f"transfer-{os.urandom(3).hex()}"
    async with rooms_of(server) as rooms, Caller(server, room) as caller:
        await caller.join(kind="sip")
        yield Transfer(server, exchange, rooms, folder, room, caller)


async def test_a_human_is_told_what_it_is_about_and_talks_with_the_caller(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        caller = transfer.caller
        async with transfer.taken() as human:
            await transfer.hears(caller)  # music
            await human.write("what is it about?")
            await human.until(lambda: any("asked for a human" in line.text for line in human.lines))
            there = await transfer.rooms.there(human.room.name)
            assert sorted(each.kind for each in there) == [3, 4]  # SIP, and one agent
            await human.write("put me through")
            await transfer.says("transferred")
            assert transfer.told("transferred") == ["human-agent-sip"]
            for speaker, listener in ((human, caller), (caller, human)):
                await listener.hear_out()
                listener.heard.clear()
                await speaker.speak(TONE)
                await listener.until(lambda: np.abs(listener.sound()).max(initial=0) > LOUD)  # noqa: B023
            await caller.write("hello?")  # the agent has not gone
            await transfer.says("Hm.")
        await transfer.gone(transfer.room, human.room.name)


async def test_what_the_telephone_is_asked_for_is_what_the_program_said(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        asked = await transfer.asked()
        request = asked.request
        assert asked.claims["sip"]["call"]
        assert (request.sip_trunk_id, request.sip_call_to) == ("ST_line", "+15105550123")
        assert (request.sip_number, request.dtmf) == ("+15105550100", "ww12#")
        assert dict(request.headers) == {"X-Call": "7"}
        assert request.wait_until_answered
        assert request.ringing_timeout.ToSeconds() == 25
        asked.refuse(503, "unavailable", "gone")
        await transfer.says("could not dial human agent")


async def test_a_human_whose_line_is_busy_leaves_the_caller_with_the_agent(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        asked = await transfer.asked()
        busy = {"sip_status_code": "486", "sip_status": "Busy Here"}
        asked.refuse(400, "resource_exhausted", "the call failed", **busy)
        await transfer.says("could not dial human agent: 486 Busy Here")
        await transfer.caller.hear_out()
        assert (
            not transfer.caller.sounding()
            or transfer.caller.sounding()[-1] < transfer.caller.heard[-1][0]
        )
        await transfer.caller.write("hello?")
        await transfer.says("Hm.")
        await transfer.gone(asked.request.room_name)


@pytest.mark.parametrize(
    ("human_says", "result"),
    [
        ("I have no time", "human agent declined to connect: no time"),
        ("leave a message after the tone", "voicemail detected"),
        ("", "the human agent hung up"),
        (LINE_DROPS, "the human agent hung up"),
    ],
)
async def test_a_human_who_does_not_take_the_call_leaves_the_caller_with_the_agent(
    served: Served, human_says: str, result: str
) -> None:
    async with a_call(served) as transfer:
        async with transfer.taken() as human:
            room = human.room.name
            if human_says == LINE_DROPS:
                gone = api.RoomParticipantIdentity(room=room, identity=human.identity)
                await transfer.rooms.api.room.remove_participant(gone)
            elif human_says:
                await human.write(human_says)
            else:
                await human.room.disconnect()
            await transfer.says(result)
        assert transfer.told("failed") == [result]
        await transfer.caller.write("hello?")
        await transfer.says("Hm.")
        await transfer.gone(room)


async def test_a_caller_who_hangs_up_while_a_human_is_told_ends_both_calls(
    served: Served,
) -> None:
    async with a_call(served) as transfer, transfer.taken() as human:
        room = human.room.name
        await transfer.caller.room.disconnect()
        await transfer.gone(room)
        assert transfer.told("closed") == ["participant_disconnected"]


async def test_a_caller_who_hangs_up_while_it_rings_is_not_called_for_any_more(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        asked = await transfer.asked()
        await transfer.caller.room.disconnect()
        await until(lambda: asked.given_up)
        await transfer.gone(asked.request.room_name)


async def test_a_caller_on_hold_cannot_act_for_the_human(served: Served) -> None:
    async with a_call(served) as transfer, transfer.taken() as human:
        await transfer.caller.write("put me through")
        await human.write("what is it about?")
        await human.until(lambda: any("asked for a human" in line.text for line in human.lines))
        assert transfer.told("transferred") == []
        await human.write("I have no time")
        await transfer.says("declined")


async def test_where_the_server_moves_participants_the_human_comes_to_the_caller(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        transfer.exchange.moves = True
        async with transfer.taken() as human:
            room = human.room.name
            await human.write("put me through")
            asked = await transfer.exchange.is_asked("RoomService/MoveParticipant", room)
            assert asked.request.identity == "human-agent-sip"
            assert asked.request.destination_room == transfer.room
            assert asked.claims["video"]["destinationRoom"] == transfer.room
            await human.room.disconnect()
            async with Caller(transfer.server, transfer.room, "human-agent-sip") as moved:
                await moved.join(kind="sip")
                asked.answer(api.MoveParticipantResponse())
                await transfer.says("transferred")
                await transfer.gone(room)
            await transfer.gone(transfer.room)


async def test_a_phone_is_transferred_by_the_sip_service_or_the_program_knows_why_not(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        caller = transfer.caller
        await caller.until(lambda: caller.state() == "listening")
        await caller.write("transfer my phone")
        asked = await transfer.exchange.is_asked("SIP/TransferSIPParticipant", transfer.room)
        assert asked.request.participant_identity == "caller"
        assert asked.request.transfer_to == "tel:+15105550123"
        transfer.exchange.asked.remove(asked)
        asked.refuse(400, "failed_precondition", "no", sip_status_code="603", sip_status="Decline")
        await transfer.says("SipCallError, 603, Decline")
        await caller.write("transfer my phone")
        asked = await transfer.exchange.is_asked("SIP/TransferSIPParticipant", transfer.room)
        asked.answer(TransferSIPParticipantResponse(transfer_id="ST_moved"))
        await transfer.says("moved: ST_moved")
