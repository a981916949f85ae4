"""An avatar speaks for the agent: sound goes to it as data, and it says how far it was heard.

A participant with LiveKit's own receiver stands for the avatar's worker.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from livekit import rtc
from livekit.agents.types import ATTRIBUTE_PUBLISH_ON_BEHALF

from antiphon.nodes.adapted import LATE
from antiphon.voice.avatar import AudioSegmentEnd, DataStreamAudioOutput, DataStreamAudioReceiver
from tests.rooms.holding import call
from tests.rooms.singing import RATE, Singer, plain, song, sung

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer
    from tests.rooms.calling import Caller
    from tests.rooms.holding import Held

pytestmark = pytest.mark.realtime

AVATAR: Final = "avatar"
SLOW: Final = 0.4  # seconds in which it makes its face before a word is heard
TRIES: Final = 6
QUEUE: Final = 0.1  # seconds of sound in its native queue


class Avatar:
    """Plays what it is sent, late. Mutable state: what of a segment it has given to its track."""

    def __init__(self, server: LiveKitServer, room: str) -> None:
        self.room = rtc.Room()
        self._server, self._name = server, room
        self._mouth = rtc.AudioSource(RATE, 1, queue_size_ms=round(QUEUE * 1000))
        self._given = 0.0
        self._cleared = False

    async def __aenter__(self) -> Self:
        on_behalf = {ATTRIBUTE_PUBLISH_ON_BEHALF: "agent"}
        token = self._server.token(AVATAR, self._name, kind="agent", attributes=on_behalf)
        await self.room.connect(self._server.url, token)
        track = rtc.LocalAudioTrack.create_audio_track("avatar_audio", self._mouth)
        await self.room.local_participant.publish_track(track)
        self._receiver = DataStreamAudioReceiver(self.room, sender_identity="agent")
        await self._receiver.start()
        self._receiver.on("clear_buffer", self._clear)
        self._playing = asyncio.ensure_future(self._play())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._receiver.aclose()
        self._playing.cancel()
        await asyncio.wait([self._playing])
        await self.room.disconnect()
        await self._mouth.aclose()

    async def _play(self) -> None:
        async for frame in self._receiver:
            if isinstance(frame, AudioSegmentEnd):
                await self._mouth.wait_for_playout()
                if not self._cleared:
                    self._receiver.notify_playback_finished(self._given, interrupted=False)
                self._given, self._cleared = 0.0, False
            elif not self._cleared:
                if not self._given:
                    await asyncio.sleep(SLOW)
                self._given += frame.duration
                await self._mouth.capture_frame(frame)

    def _clear(self) -> None:
        played = self._given - self._mouth.queued_duration
        self._mouth.clear_queue()
        self._cleared = True
        self._receiver.notify_playback_finished(max(0.0, played), interrupted=True)


async def hear_only_the_avatar(caller: Caller) -> None:
    await caller.until(lambda: AVATAR in caller.room.remote_participants)
    there = caller.room.remote_participants[AVATAR]
    await caller.until(lambda: there.track_publications)
    for publication in there.track_publications.values():
        publication.set_subscribed(True)


@contextlib.asynccontextmanager
async def shown(server: LiveKitServer, name: str, singer: Singer, *, replaced: bool) -> Any:
    """A call in which an avatar speaks, where the agent's own track did, or instead of it."""
    async with call(server, name, singer, join=False) as held, Avatar(server, name):
        room = held.session.room_io.room
        output = DataStreamAudioOutput(room, destination_identity=AVATAR, sample_rate=RATE)
        if replaced:
            held.session.output.replace_audio_tail(output)
        else:
            held.session.output.audio = output
        await held.caller.join(listen=False)
        await hear_only_the_avatar(held.caller)
        await held.caller.until(lambda: held.session.room_io.linked_participant)
        yield held


async def answered(held: Held, times: int) -> None:
    await held.caller.write("hello")
    await held.caller.until(lambda: len(held.history("assistant")) == times)


@pytest.mark.parametrize("replaced", [True, False])
async def test_what_an_avatar_says_is_heard_written_and_remembered(
    livekit_server: LiveKitServer, name: str, replaced: bool
) -> None:
    held: Held
    replies = [song(6), song(4, 8)]
    async with shown(livekit_server, name, Singer(replies), replaced=replaced) as held:
        for number in (1, 2):
            await answered(held, number)
        last = plain(replies[-1])[-1:]
        await held.caller.until(lambda: sung(held.caller.sound())[-1:] == last)
    assert held.history("assistant") == replies
    assert held.caller.said("agent") == replies
    assert sung(held.caller.sound()) == plain(song(6)) + plain(song(4, 8))


async def cut_short(held: Held) -> tuple[list[str], list[str], bool]:
    """What history has of a reply that was cut, what the caller has heard of it, and whether the
    avatar's report was in time."""
    caller, loop = held.caller, asyncio.get_running_loop()
    added: list[object] = []  # told once the avatar has reported, or is late
    caller.heard.clear()
    await caller.write("hello")
    await caller.until(lambda: held.seconds() > 1.6)
    held.session.on("conversation_item_added", added.append)
    at = loop.time()
    await held.session.interrupt()
    await caller.until(lambda: added)
    in_time = loop.time() - at < LATE
    held.session.off("conversation_item_added", added.append)
    await caller.hear_out()
    return plain(held.history("assistant")[-1]), sung(caller.sound()), in_time


async def test_history_has_what_the_avatar_says_it_has_played_when_it_is_cut(
    livekit_server: LiveKitServer, name: str
) -> None:
    held: Held
    replies = [song(20)] * TRIES
    async with shown(livekit_server, name, Singer(replies), replaced=True) as held:
        for _ in replies:
            said, heard, in_time = await cut_short(held)
            if in_time:  # a busy machine may bring it too late to be of use
                assert 5 <= len(said) < 20
                assert said == heard[: len(said)]
                assert len(said) >= len(heard) - 1  # the last was under way
                return
    pytest.fail("no report came in time")
