"""Text in a room: what is written is answered, and what is said can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rooms.holding import call
from tests.rooms.singing import Singer, plain, song, sung

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime


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
