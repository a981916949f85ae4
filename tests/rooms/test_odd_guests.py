"""Guests of a room who do what nobody expects: the caller and the agent talk on all the same."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc

from antiphon import AgentSession, room_io
from antiphon.simulated_sound import voice
from antiphon.worker import ConsoleRoom
from tests.rooms.calling import EARLY, Caller
from tests.rooms.holding import call
from tests.rooms.singing import Singer, plain, song, sung
from tests.rooms.test_ears import Listener

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer
    from tests.rooms.holding import Held

pytestmark = pytest.mark.realtime


def readers() -> int:
    """Streams that came from others and that somebody still waits for."""
    gc.collect()
    kinds = (rtc.TextStreamReader, rtc.ByteStreamReader)
    return sum(type(each) in kinds for each in gc.get_objects())


async def answered(held: Held, words: str, caller: Caller | None = None) -> None:
    """The caller writes, and what was asked for is heard."""
    caller = caller or held.caller
    before = len(caller.said("agent"))
    await caller.write(words)
    await caller.until(lambda: len(caller.said("agent")) > before and caller.lines[-1].over)


async def test_lines_of_others_leave_nothing_behind(
    livekit_server: LiveKitServer, name: str
) -> None:
    other = Caller(livekit_server, name, "another")
    async with call(livekit_server, name, Singer([song(2)])) as held, other:
        await other.join(microphone=False)
        before = readers()
        for number in range(20):
            await other.write(f"do not answer this {number}")
        await answered(held, "hello")
        assert held.history("user") == ["hello"]
        await held.caller.until(lambda: readers() <= before + 2)


class Unseen(ConsoleRoom):
    """A room in which the caller is seen only when `see` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = self._remote_participants.pop("caller")
        self.readers: dict[str, Any] = {}

    def register_text_stream_handler(self, topic: str, handler: Any) -> None:
        self.readers[topic] = handler

    def see(self) -> None:
        self._remote_participants["caller"] = self.caller
        self.emit("participant_connected", self.caller)


class Written:
    """A line of chat, as far as it is read."""

    info: Any = None

    async def read_all(self) -> str:
        return "hello"

    def close(self) -> None:
        """There is nothing to let go of."""


async def test_a_line_of_somebody_who_is_seen_later_is_answered_then() -> None:
    """What somebody writes as they join goes another way than the word that they are there; which
    comes first cannot be chosen with a real server, and so these two are given in turn."""
    room = Unseen()
    session: AgentSession[None] = AgentSession(vad=None)
    silent = room_io.RoomOptions(audio_input=False, audio_output=False, text_output=False)
    await session.start(Singer([song(3)]), room=room, room_options=silent)
    room.readers["lk.chat"](Written(), "caller")
    await asyncio.sleep(0.05)
    assert session.history.messages() == []
    room.see()
    await session.wait_for_idle()
    while len(session.history.messages()) < 2:  # noqa: ASYNC110  # no other task can say so
        await asyncio.sleep(0.01)
    assert [each.text_content for each in session.history.messages()] == ["hello", song(3)]
    await session.aclose()


async def test_nobody_is_read_once_nobody_is_talked_with(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([song(2), song(2)])) as held:
        held.session.room_io.unset_participant()
        await held.caller.write("is there anybody")
        await asyncio.sleep(0.5)
        assert held.history("user") == []
        held.session.room_io.set_participant("caller")
        await held.caller.until(lambda: held.session.room_io.linked_participant is not None)
        await answered(held, "hello")
        assert held.history("user")[-1] == "hello"


async def test_a_page_that_is_loaded_anew_is_talked_with_at_once(
    livekit_server: LiveKitServer, name: str
) -> None:
    """The old connection is still there when the new one comes, under the same name."""
    states: list[str] = []
    async with call(livekit_server, name, Singer([song(2), song(3, 4)])) as held:
        held.session.on("user_state_changed", lambda event: states.append(event.new_state))
        await answered(held, "hello")
        async with Caller(livekit_server, name) as anew:
            await anew.join()
            await anew.until(lambda: not held.caller.room.isconnected())
            await anew.until(lambda: held.session.room_io.linked_participant is not None)
            for _ in range(10):
                await anew.speak(voice(0.6))
                if "speaking" in states:
                    break
            assert "speaking" in states
            await answered(held, "it is me again", anew)
            await anew.hear_out()
            assert sung(anew.sound()) == plain(song(3, 4))
            assert held.closed == []


async def test_nobody_puts_words_into_the_callers_mouth(
    livekit_server: LiveKitServer, name: str
) -> None:
    """What was said before the call comes from who said it, or is not heard."""
    agent = Listener()
    listening = room_io.AudioInputOptions(pre_connect_audio_timeout=1.0)
    options = room_io.RoomOptions(audio_input=listening)
    async with call(livekit_server, name, agent, join=False, room_options=options) as held:
        await held.caller.join(preconnect=True)
        async with Caller(livekit_server, name, "another") as other:
            await other.join(microphone=False)
            await other.send_early(voice(1.5), track=held.caller.microphone)
            await held.caller.until(lambda: len(agent.frames) > 10)
            assert agent.loud() == 0.0


@pytest.mark.parametrize(
    "described",
    [
        {"sampleRate": "-16000", "channels": "1"},
        {"sampleRate": "7", "channels": "65536"},
        {},
    ],
)
async def test_a_recording_that_makes_no_sense_deafens_nobody(
    livekit_server: LiveKitServer, name: str, described: dict[str, str]
) -> None:
    agent = Listener()
    listening = room_io.AudioInputOptions(pre_connect_audio_timeout=0.5)
    options = room_io.RoomOptions(audio_input=listening)
    async with call(livekit_server, name, agent, join=False, room_options=options) as held:
        await held.caller.join(preconnect=True)
        await held.caller.send_early(voice(0.5), described)
        await held.caller.speak(voice(1.0))
        await held.caller.until(lambda: agent.loud() > 0.5)


async def test_a_recording_of_two_channels_is_heard_as_one(
    livekit_server: LiveKitServer, name: str
) -> None:
    agent = Listener()
    async with call(livekit_server, name, agent, join=False) as held:
        await held.caller.join(preconnect=True)
        said = np.repeat(voice(1.5), 6)  # three times the rate, on both sides
        await held.caller.send_early(said, {"sampleRate": "48000", "channels": "2"})
        await held.caller.until(lambda: agent.loud() > 1.3)
        await asyncio.sleep(0.2)
        assert agent.loud() < 1.7
        assert len({(f.sample_rate, f.num_channels, f.duration) for f in agent.frames}) <= 2


async def test_junk_on_every_way_into_a_room_leaves_the_call_as_it_was(
    livekit_server: LiveKitServer, name: str
) -> None:
    junk: list[Any] = [b"", b"\x00\xff" * 500, b'{"type": []}', "ü☂" * 1000]
    topics = ["lk.chat", "lk.transcription", EARLY, "lk.agent.session", "lk-chat-topic", ""]
    other = Caller(livekit_server, name, "another")
    async with call(livekit_server, name, Singer([song(2)] * 9)) as held, other:
        await other.join(microphone=False)
        for guest in (other, held.caller):
            me = guest.room.local_participant
            for topic, each in itertools.product(topics, junk):
                await me.publish_data(each, topic=topic)
                if isinstance(each, bytes):
                    stream = await me.stream_bytes("junk", topic=topic)
                    await stream.write(each)
                    await stream.aclose()
            for code, digit in ((99, "x"), (0, ""), (11, "##"), (4_294_967_295, "☂")):
                await me.publish_dtmf(code=code, digit=digit)
            for method in ("lk.agent.x", "lk.clear_buffer", "☂"):
                with pytest.raises(rtc.RpcError):
                    await me.perform_rpc(
                        destination_identity="agent", method=method, payload="☂" * 4000
                    )
        await answered(held, "hello")
        assert held.history("user") == ["hello"]
        assert held.closed == []


async def test_a_very_long_line_is_read_whole_and_an_unfinished_one_holds_nobody_up(
    livekit_server: LiveKitServer, name: str
) -> None:
    long = "word " * 100_000
    async with call(livekit_server, name, Singer([song(2), song(2)])) as held:
        me = held.caller.room.local_participant
        unfinished = await me.stream_text(topic="lk.chat")
        await unfinished.write("I was about to say")
        await answered(held, long)
        assert held.history("user") == [long]
        await answered(held, "short")
        assert held.history("user") == [long, "short"]
        await unfinished.aclose()


async def test_many_lines_at_once_are_all_kept_and_the_last_is_answered(
    livekit_server: LiveKitServer, name: str
) -> None:
    lines = [f"line {number}" for number in range(60)]
    async with call(livekit_server, name, Singer([song(1, n % 20) for n in range(60)])) as held:
        await asyncio.gather(*(held.caller.write(line) for line in lines))
        await held.caller.until(lambda: len(held.history("user")) == 60)
        await held.session.wait_for_idle()
        assert sorted(held.history("user")) == sorted(lines)
        assert held.history("assistant")[-1] == song(1, 59 % 20)
