"""A caller talks into what the agent says: measured at the caller's ear, over a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from antiphon.simulated_sound import noise, voice
from tests.rooms.holding import call
from tests.rooms.singing import LENGTH, Singer, plain, song, sung

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime

TRANSPORT = 0.1  # seconds that the listener's end may add to a sound, or take from it


@pytest.mark.parametrize("moment", [0.6, 1.4, 2.33])
async def test_a_barge_in_is_heard_at_once_and_the_transcript_ends_at_the_same_word(
    livekit_server: LiveKitServer, name: str, moment: float
) -> None:
    singer = Singer([song(16), song(3, 18)])
    async with call(livekit_server, name, singer) as held:
        caller = held.caller
        await caller.write("sing")
        await caller.until(lambda: held.seconds() >= moment)
        await caller.speak(voice(0.6))
        singer.words.put_nowait("no more please")
        await caller.until(lambda: len(caller.said("agent")) == 2 and caller.lines[-1].over)

    heard, (first, second) = sung(caller.sound()), held.history("assistant")
    assert second == song(3, 18)
    assert heard[-3:] == plain(second)
    before = heard[:-3]
    assert before[: len(plain(first))] == plain(first)
    assert len(before) <= len(plain(first)) + 1  # it may have ended within a word
    assert caller.said("agent") == [first, second]

    (pause, *_), (audible, *_) = held.records("pause"), held.records("audible")
    lasted = held.seconds() - 3 * LENGTH
    assert lasted <= pause.t - audible.t + TRANSPORT


async def test_after_a_cough_the_reply_goes_on_and_no_sound_is_lost(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([song(16)])) as held:
        caller = held.caller
        await caller.write("sing")
        await caller.until(lambda: held.seconds() >= 1.1)
        await caller.speak(noise(0.5))
        await caller.until(lambda: caller.lines[-1].over)

    assert [record.kind for record in held.records("resume")] == ["resume"]
    assert sung(caller.sound()) == plain(song(16))
    assert held.history("assistant") == caller.said("agent") == [song(16)]
    # To the sample it is looked at in tests/nodes: a jitter buffer stretches sound, and hastens it.
    assert held.seconds() == pytest.approx(16 * LENGTH, abs=TRANSPORT)
