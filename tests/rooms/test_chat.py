"""Text in a room: what is written is answered, and what is said can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from antiphon import room_io
from tests.rooms.holding import call
from tests.rooms.singing import Singer, plain, song, sung

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

TRANSPORT = 0.1  # seconds that sound may be behind text, at the most, on one machine


async def test_a_line_of_chat_is_answered_aloud_and_in_writing(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([song(6)])) as held:
        caller = held.caller
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over)
    assert sung(caller.sound()) == plain(song(6))
    assert caller.said("agent") == held.history("assistant") == [song(6)]
    assert held.history("user") == ["hello"]


async def test_each_word_can_be_read_when_it_has_been_heard(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([song(12)])) as held:
        caller = held.caller
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over)
    (line,) = caller.lines
    assert len(line.parts) == 12
    for number, (at, _) in enumerate(line.parts, start=1):
        heard = sung(caller.sound(until=at + TRANSPORT))
        assert number - 1 <= len(heard) <= number + 1


async def test_words_can_be_had_as_soon_as_they_are_written(
    livekit_server: LiveKitServer, name: str
) -> None:
    ahead = room_io.TextOutputOptions(sync_transcription=False)
    options = room_io.RoomOptions(text_output=ahead)
    async with call(livekit_server, name, Singer([song(16)]), room_options=options) as held:
        await held.caller.write("hello")
        await held.caller.until(lambda: held.caller.lines and held.caller.lines[-1].text)
        assert held.caller.lines[-1].text == song(16)
        assert held.seconds() < 2.0


async def test_words_are_lines_of_json_for_who_asks_for_them(
    livekit_server: LiveKitServer, name: str
) -> None:
    options = room_io.RoomOptions(text_output=room_io.TextOutputOptions(json_format=True))
    async with call(livekit_server, name, Singer([song(3)]), room_options=options) as held:
        await held.caller.write("hello")
        await held.caller.until(lambda: held.caller.lines and held.caller.lines[-1].over)
    parts = [json.loads(line)["text"] for line in held.caller.lines[-1].text.splitlines()]
    assert "".join(parts) == song(3)
    assert len(parts) == 3


async def test_words_are_marked_with_their_segment_their_track_and_their_end(
    livekit_server: LiveKitServer, name: str
) -> None:
    singer = Singer([song(3), song(2)])
    async with call(livekit_server, name, singer) as held:
        caller = held.caller
        await caller.write("hello")
        await caller.until(lambda: caller.lines and caller.lines[-1].over)
        singer.words.put_nowait("and more")
        await caller.until(lambda: len(caller.lines) == 3 and caller.lines[-1].over)
        (voice,) = [
            publication.sid
            for publication in caller.room.remote_participants["agent"].track_publications.values()
        ]
        (mouth,) = caller.room.local_participant.track_publications
    first, user, second = caller.lines
    assert (user.identity, user.text, user.final) == ("caller", "and more", True)
    assert [line.final for line in caller.lines] == [True] * 3
    assert [line.attributes["lk.transcribed_track_id"] for line in caller.lines] == [
        *(voice, mouth, voice)
    ]
    assert len({line.segment for line in caller.lines}) == 3
    # This client knows no transcription streams, so it gets the packets too.
    packets = {part.id: (who, part.text, part.final) for who, part in caller.packets}
    assert packets == {
        line.segment: (line.identity, line.text, True) for line in (first, user, second)
    }


async def test_a_front_end_sees_what_the_agent_is_doing(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([song(3)])) as held:
        await held.caller.write("hello")
        await held.caller.until(lambda: held.caller.states[-2:] == ["speaking", "listening"])
    assert held.caller.states[-3:] == ["thinking", "speaking", "listening"]
