"""Who is in the room: whom the agent talks with, and what becomes of the call when they go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc

from antiphon import AgentSession, UsageError, room_io
from antiphon.simulated_sound import voice
from tests.rooms.calling import Caller
from tests.rooms.holding import call, in_room
from tests.rooms.singing import Singer, plain, song, sung

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

KINDS = rtc.ParticipantKind


async def test_what_the_agent_says_first_waits_for_somebody_to_hear_it(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([]), join=False) as held:
        handle = held.session.say(song(6))
        await asyncio.sleep(0.5)
        assert not handle.done()
        assert held.session.room_io.linked_participant is None
        await held.caller.join()
        await held.caller.until(handle.done)
    assert sung(held.caller.sound()) == plain(song(6))


async def test_the_agents_track_is_there_before_anybody_has_come(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with in_room(livekit_server, name) as room:
        session: AgentSession[Any] = AgentSession()
        published = asyncio.get_running_loop().create_future()
        room.on("local_track_published", lambda *_: published.set_result(None))
        await session.start(Singer([]), room=room)
        await asyncio.wait_for(published, 10)
        await session.aclose()
        assert dict(room.local_participant.track_publications) == {}


@pytest.mark.parametrize("aloud", [True, False])
async def test_a_session_may_start_before_its_room_is_joined(
    livekit_server: LiveKitServer, name: str, aloud: bool
) -> None:
    room, session = rtc.Room(), AgentSession[Any]()
    options = room_io.RoomOptions(audio_output=aloud)
    await session.start(Singer([song(3)]), room=room, room_options=options)
    greeting = session.say(song(2))
    await asyncio.sleep(0.2)
    assert greeting.done() != aloud  # what is only written waits for nobody
    async with Caller(livekit_server, name) as caller:
        await room.connect(livekit_server.url, livekit_server.token("agent", name, kind="agent"))
        await caller.join()
        await caller.until(greeting.done)
        await session.room_io.wait_for_ready()
        await caller.write("hello")
        await caller.until(lambda: song(3) in caller.said("agent"))
        await caller.hear_out()
        await session.aclose()
        await room.disconnect()
    assert sung(caller.sound()) == (plain(song(2)) + plain(song(3)) if aloud else [])


@pytest.mark.parametrize("kind", ["sip", "standard"])
async def test_a_caller_who_hangs_up_closes_the_session(
    livekit_server: LiveKitServer, name: str, kind: Any
) -> None:
    async with call(livekit_server, name, Singer([song(20)]), join=False) as held:
        await held.caller.join(kind=kind)
        await held.session.room_io.wait_for_ready()
        held.session.say(song(20))
        await held.caller.until(lambda: held.seconds() > 0.5)
        await held.caller.room.disconnect()
        await held.caller.until(lambda: held.closed)
    assert held.closed == ["participant_disconnected"]
    (said,) = held.history("assistant")
    assert len(plain(said)) <= len(sung(held.caller.sound())) + 1  # nobody heard more of it


async def test_who_only_lost_the_connection_is_waited_for_and_talked_with_again(
    livekit_server: LiveKitServer, name: str
) -> None:
    options = room_io.RoomOptions(close_on_disconnect=False)
    async with call(livekit_server, name, Singer([song(4)]), room_options=options) as held:
        session = held.session
        await held.caller.room.disconnect()
        await held.caller.until(lambda: session.room_io.linked_participant is None)
        async with Caller(livekit_server, name) as back:
            await back.join()
            await back.until(lambda: session.room_io.linked_participant is not None)
            await back.write("hello again")
            await back.until(lambda: back.lines and back.lines[-1].over)
            await back.hear_out()
            assert sung(back.sound()) == plain(song(4))
    assert held.closed == ["user_initiated"]


async def test_only_the_linked_participant_is_heard_and_read(
    livekit_server: LiveKitServer, name: str
) -> None:
    states: list[str] = []
    async with call(livekit_server, name, Singer([song(3), song(4, 5)])) as held:
        held.session.on("user_state_changed", lambda event: states.append(event.new_state))
        async with Caller(livekit_server, name, "another") as other:
            await other.join()
            await other.write("do not answer this")
            await other.speak(voice(0.5))
            await asyncio.sleep(0.3)
            assert states == []
            assert held.history("user") == []

            held.session.room_io.set_participant("another")
            await asyncio.sleep(0.5)
            await held.caller.write("nor this")
            await other.speak(voice(0.5))
            await other.until(lambda: "speaking" in states)
            await other.write("but this")
            await other.until(lambda: other.lines and other.lines[-1].over)
            assert held.history("user") == ["but this"]

            held.session.room_io.unset_participant()
            assert held.session.room_io.linked_participant is None


async def test_a_participant_of_another_kind_is_not_talked_with(
    livekit_server: LiveKitServer, name: str
) -> None:
    kinds = [KINDS.PARTICIPANT_KIND_SIP]
    options = room_io.RoomOptions(participant_kinds=kinds)
    singer = Singer([])
    async with call(livekit_server, name, singer, join=False, room_options=options) as held:
        await held.caller.join()
        await asyncio.sleep(0.3)
        assert held.session.room_io.linked_participant is None
        async with Caller(livekit_server, name, "phone") as phone:
            await phone.join(kind="sip")
            await phone.until(lambda: held.session.room_io.linked_participant)
            linked = held.session.room_io.linked_participant
            assert linked is not None
            assert linked.identity == "phone"


async def test_a_room_that_is_deleted_closes_the_session(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([])) as held:
        async with livekit_server.api() as server:
            await server.room.delete_room(api.DeleteRoomRequest(room=name))
        await held.caller.until(lambda: held.closed)
    assert held.closed == ["participant_disconnected"]


async def test_an_agent_that_is_put_out_of_its_room_closes_the_session_and_says_so(
    livekit_server: LiveKitServer, name: str
) -> None:
    errors: list[str] = []
    async with call(livekit_server, name, Singer([])) as held:
        held.session.on("close", lambda event: errors.append(str(event.error.error)))
        async with livekit_server.api() as server:
            agent = api.RoomParticipantIdentity(room=name, identity="agent")
            await server.room.remove_participant(agent)
        await held.caller.until(lambda: held.closed)
    assert held.closed == ["error"]
    assert errors == [f"the connection to the room {name} was lost: PARTICIPANT_REMOVED"]


async def test_nobody_is_away_who_has_not_come(livekit_server: LiveKitServer, name: str) -> None:
    async with call(livekit_server, name, Singer([]), join=False, user_away_timeout=0.3) as held:
        await asyncio.sleep(0.6)
        assert held.session.user_state == "listening"
        await held.caller.join()
        await held.caller.until(lambda: held.session.user_state == "away")


async def test_a_key_on_a_phone_says_that_somebody_is_there(
    livekit_server: LiveKitServer, name: str
) -> None:
    pressed: list[str] = []
    async with call(livekit_server, name, Singer([]), join=False, user_away_timeout=1.0) as held:
        room = held.session.room_io.room
        room.on("sip_dtmf_received", lambda event: pressed.append(event.digit))
        await held.caller.join(kind="sip")
        await held.session.room_io.wait_for_ready()
        for _ in range(4):
            await asyncio.sleep(0.4)
            await held.caller.room.local_participant.publish_dtmf(code=5, digit="5")
        assert held.session.user_state == "listening"
        await held.caller.until(lambda: len(pressed) == 4)
        await held.caller.until(lambda: held.session.user_state == "away")


async def test_a_session_in_no_room_says_so() -> None:
    with pytest.raises(UsageError, match="room="):
        _ = AgentSession().room_io


async def test_who_only_reads_is_answered_too(livekit_server: LiveKitServer, name: str) -> None:
    async with call(livekit_server, name, Singer([song(3)]), join=False) as held:
        await held.caller.join(microphone=False, listen=False)
        await held.caller.until(lambda: held.session.room_io.linked_participant)
        await held.caller.write("hello")
        await held.caller.until(lambda: held.caller.lines and held.caller.lines[-1].over)
    assert held.caller.said("agent") == [song(3)]
    assert held.caller.heard == []


async def test_a_farewell_that_nobody_stayed_for_holds_no_session_open(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([])) as held:
        held.session.say(song(24))
        held.session.say(song(24))
        await held.caller.until(lambda: held.seconds() > 0.5)
        held.session.shutdown()
        await held.caller.room.disconnect()
        await held.caller.until(lambda: held.closed, 5.0)
        assert len(held.history("assistant")) == 1


async def test_a_session_that_cannot_enter_its_room_closes_and_says_why(
    livekit_server: LiveKitServer, name: str
) -> None:
    impossible = room_io.RoomOptions(audio_output=room_io.AudioOutputOptions(sample_rate=-1))
    async with in_room(livekit_server, name) as room:
        session: AgentSession[Any] = AgentSession()
        closed: list[str] = []
        session.on("close", lambda event: closed.append(event.reason.value))
        with pytest.raises(ValueError, match="-1"):
            await session.start(Singer([]), room=room, room_options=impossible)
        assert closed == ["error"]
        again: AgentSession[Any] = AgentSession()
        await again.start(Singer([]), room=room)
        await again.aclose()
