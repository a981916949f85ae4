"""Connections that are lost, and come back or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from antiphon.simulated_sound import voice
from tests.rooms.calling import Caller
from tests.rooms.holding import call
from tests.rooms.singing import Singer, plain, song, sung

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

LOSSES = ["SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT"]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("who", ["agent", "caller"])
async def test_after_a_lost_connection_both_sides_hear_each_other_again(
    livekit_server: LiveKitServer, name: str, loss: str, who: str
) -> None:
    singer = Singer([song(4), song(5, 6)])
    async with call(livekit_server, name, singer) as held:
        caller, session = held.caller, held.session
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over)
        room = caller.room if who == "caller" else session.room_io.room
        await room.simulate_scenario(rtc.SimulateScenarioKind.Value(loss))
        states: list[str] = []
        session.on("user_state_changed", lambda event: states.append(event.new_state))
        for _ in range(10):
            await caller.speak(voice(0.6))
            if "speaking" in states:
                break
        singer.words.put_nowait("are you there")
        await caller.until(lambda: caller.said("agent")[1:] and caller.lines[-1].over)
        assert held.closed == []
    assert held.history("assistant") == [song(4), song(5, 6)]
    assert sung(caller.sound())[-5:] == plain(song(5, 6))


async def test_what_the_agent_does_while_its_connection_is_made_anew_is_seen_afterwards(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([])) as held:
        caller, room = held.caller, held.session.room_io.room
        await caller.until(lambda: caller.state() == "listening")
        room.once("reconnecting", lambda: held.session.say(song(24)))
        await room.simulate_scenario(rtc.SimulateScenarioKind.Value("SIMULATE_FULL_RECONNECT"))
        await caller.until(lambda: caller.state() == "speaking")
        await held.session.wait_for_idle()
        await caller.until(lambda: caller.state() == "listening")


@pytest.mark.parametrize("who", ["agent", "caller"])
async def test_words_that_are_being_read_can_be_read_to_their_end_after_a_lost_connection(
    livekit_server: LiveKitServer, name: str, who: str
) -> None:
    async with call(livekit_server, name, Singer([song(20)])) as held:
        caller = held.caller
        await caller.write("hello")
        await caller.until(lambda: held.seconds() > 1.0)
        room = caller.room if who == "caller" else held.session.room_io.room
        await room.simulate_scenario(rtc.SimulateScenarioKind.Value("SIMULATE_FULL_RECONNECT"))
        await caller.until(lambda: held.history("assistant") and caller.lines[-1].final)
        assert caller.said("agent") == held.history("assistant") == [song(20)]


async def test_who_comes_in_the_middle_of_a_speech_can_read_it_whole(
    livekit_server: LiveKitServer, name: str
) -> None:
    reader = Caller(livekit_server, name, "reader")
    async with call(livekit_server, name, Singer([song(16)])) as held, reader:
        await held.caller.write("hello")
        await held.caller.until(lambda: held.seconds() > 1.0)
        await reader.join(microphone=False)
        for each in (reader, held.caller):
            await each.until(lambda: each.lines and each.lines[-1].final)  # noqa: B023
            assert each.said("agent") == [song(16)]


async def test_a_speech_that_ends_while_the_connection_is_made_anew_can_be_read_to_its_end(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([song(8)])) as held:
        caller, session = held.caller, held.session
        await caller.write("hello")
        await caller.until(lambda: held.seconds() > 1.0)
        session.room_io.room.once("reconnecting", session.interrupt)
        full = rtc.SimulateScenarioKind.Value("SIMULATE_FULL_RECONNECT")
        await session.room_io.room.simulate_scenario(full)
        await caller.until(lambda: held.history("assistant") and caller.lines[-1].final)
        assert caller.said("agent") == held.history("assistant")
        assert held.history("assistant") != [song(8)]
