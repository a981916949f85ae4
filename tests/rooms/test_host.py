"""LiveKit's control stream: somebody in the room follows a session, and speaks for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit.agents.voice.remote_session import RemoteSession

from tests.rooms.holding import call
from tests.rooms.singing import Singer, song

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime


async def test_livekits_remote_session_follows_a_session_and_writes_to_it(
    livekit_server: LiveKitServer, name: str
) -> None:
    told: list[str] = []
    async with call(livekit_server, name, Singer([song(2)]), session_host=True) as held:
        remote = RemoteSession.from_room(held.caller.room, "agent")
        await remote.start()
        await remote.wait_for_ready(timeout=30)
        remote.on("agent_state_changed", lambda _: told.append("state"))
        remote.on("conversation_item_added", lambda _: told.append("item"))
        answer = await remote.run("sing")
        assert [item.message.content[0].text for item in answer.items] == [song(2)]
        history = await remote.get_chat_history()
        assert len([item for item in history.items if item.HasField("message")]) == 2
        assert (await remote.get_agent_info()).instructions == "Sing."
        assert (await remote.get_session_state()).options["max_tool_steps"] == "3"
        await remote.update_io(output_audio_enabled=False)
        assert not held.session.output.audio_enabled
        await held.caller.until(lambda: {"state", "item"} <= set(told))
        await remote.aclose()


async def test_nobody_steers_a_session_that_did_not_ask_for_it(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([])) as held:
        remote = RemoteSession.from_room(held.caller.room, "agent")
        await remote.start()
        with pytest.raises(TimeoutError):
            await remote.wait_for_ready(timeout=1.5)
        await remote.aclose()
