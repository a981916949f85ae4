"""A call is handed over to a human, who is called by telephone into a room of their own.

The server is a real one. In the place of its SIP service is what the test answers with: whoever it
has joined the human's room is the human, and the caller is in the other one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import api
from livekit.protocol.sip import TransferSIPParticipantResponse

from tests.jobs.exchange import exchange_of
from tests.jobs.transferring import BEFORE, BODY, LINE_DROPS, LOUD, TONE, a_call
from tests.jobs.workers import at_work, until, write
from tests.rooms.calling import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.jobs.exchange import Exchange
    from tests.jobs.transferring import Served
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]


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
            # What the human was told is paid for by the caller's session.
            (spoken,) = transfer.told("spoken meanwhile")
            assert spoken >= len("They asked for a human.")
            async with transfer.rooms.caller(transfer.room, "somebody who listened, and leaves"):
                pass
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


@pytest.mark.parametrize("taken", [False, True])
async def test_a_session_that_closes_in_the_middle_of_a_transfer_lets_the_human_go(
    served: Served, taken: bool
) -> None:
    async with a_call(served) as transfer, contextlib.AsyncExitStack() as stack:
        if taken:
            await stack.enter_async_context(transfer.taken())
        else:
            await transfer.asked()
        asked = await transfer.exchange.is_asked("SIP/CreateSIPParticipant", transfer.room)
        await transfer.caller.room.local_participant.publish_data(b"close")
        await transfer.gone(asked.request.room_name)
        await until(lambda: transfer.told("closed") == ["user_initiated"])
        assert taken or asked.given_up


async def test_two_humans_who_are_asked_for_at_once_are_called_one_after_the_other(
    served: Served,
) -> None:
    async with a_call(served) as transfer:
        for turn in (1, 2):
            asked = await transfer.asked("two humans, please" if turn == 1 else "")
            transfer.exchange.asked.remove(asked)
            asked.refuse(503, "unavailable", "gone")
            await until(lambda: len(transfer.told("failed")) == turn)  # noqa: B023
        await transfer.says("Result")
        await transfer.caller.write("hello?")
        await transfer.says("Hm.")  # and the caller is no longer on hold


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
