"""What an agent hears and sees of its caller in a room."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from livekit import rtc

from antiphon import AgentSession, room_io
from antiphon.nodes.outputs import Paced
from antiphon.simulated_sound import voice
from tests.rooms.calling import SOUND
from tests.rooms.holding import call
from tests.rooms.singing import Singer, song

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from livekit.agents import ModelSettings, stt

    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime


class Listener(Singer):
    """Keeps every frame that its recogniser is given."""

    def __init__(self) -> None:
        super().__init__([])
        self.frames: list[rtc.AudioFrame] = []

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        async for frame in audio:
            self.frames.append(frame)
        return
        yield

    def loud(self) -> float:
        """Seconds in which something was heard."""
        return sum(f.duration for f in self.frames if np.abs(np.asarray(f.data)).max() > SOUND)


class Deafening(rtc.FrameProcessor[rtc.AudioFrame]):
    """Cancels all noise, and the rest too."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = False

    @property
    def enabled(self) -> bool:
        return True

    @enabled.setter
    def enabled(self, value: bool) -> None:
        raise NotImplementedError

    def _process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        self.given += 1
        silence = bytes(2 * frame.samples_per_channel)
        return rtc.AudioFrame(silence, frame.sample_rate, 1, frame.samples_per_channel)

    def _close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("options", "rate", "duration"),
    [
        (room_io.RoomOptions(), 24_000, 0.02),
        (room_io.RoomOptions(audio_input=room_io.AudioInputOptions()), 24_000, 0.02),
        (
            room_io.RoomOptions(
                audio_input=room_io.AudioInputOptions(
                    sample_rate=16_000, frame_size_ms=10, auto_gain_control=False
                )
            ),
            16_000,
            0.01,
        ),
    ],
)
async def test_frames_are_as_short_as_they_were_asked_for(
    livekit_server: LiveKitServer,
    name: str,
    options: room_io.RoomOptions,
    rate: int,
    duration: float,
) -> None:
    agent = Listener()
    async with call(livekit_server, name, agent, room_options=options) as held:
        await held.caller.speak(voice(0.5))
        await held.caller.until(lambda: agent.loud() > 0.4)
    assert {(f.sample_rate, f.duration) for f in agent.frames} == {(rate, duration)}


async def test_what_was_said_before_the_call_was_joined_is_heard_first(
    livekit_server: LiveKitServer, name: str
) -> None:
    agent = Listener()
    async with call(livekit_server, name, agent, join=False) as held:
        await held.caller.join(preconnect=True)
        await held.caller.send_early(voice(1.5))
        await held.caller.until(lambda: agent.loud() > 1.4)
    loud = [np.abs(np.asarray(frame.data)).max() > SOUND for frame in agent.frames]
    assert loud.index(True) * agent.frames[0].duration < 0.2  # nothing was heard before it


async def test_a_caller_whose_recording_does_not_come_is_heard_all_the_same(
    livekit_server: LiveKitServer, name: str
) -> None:
    agent = Listener()
    listening = room_io.AudioInputOptions(pre_connect_audio_timeout=0.3)
    options = room_io.RoomOptions(audio_input=listening)
    async with call(livekit_server, name, agent, join=False, room_options=options) as held:
        await held.caller.join(preconnect=True)
        await held.caller.speak(voice(0.6))
        await held.caller.until(lambda: agent.loud() > 0.5)


@pytest.mark.parametrize("selected", [False, True])
async def test_noise_is_cancelled_by_what_the_program_gives(
    livekit_server: LiveKitServer, name: str, selected: bool
) -> None:
    cancelling, agent = Deafening(), Listener()
    asked: list[str] = []

    def select(params: room_io.NoiseCancellationParams) -> Deafening:
        asked.append(params.participant.identity)
        return cancelling

    listening = room_io.AudioInputOptions(noise_cancellation=select if selected else cancelling)
    options = room_io.RoomOptions(audio_input=listening)
    async with call(livekit_server, name, agent, room_options=options) as held:
        await held.caller.speak(voice(0.5))
        await held.caller.until(lambda: cancelling.given > 20)
    assert agent.loud() == 0.0
    assert asked == ["caller"] * selected
    assert cancelling.closed == selected  # who made it closes it


@pytest.mark.parametrize("controlled", [True, False])
async def test_a_quiet_caller_is_made_louder_unless_that_is_switched_off(
    livekit_server: LiveKitServer, name: str, controlled: bool
) -> None:
    agent = Listener()
    listening = room_io.AudioInputOptions(auto_gain_control=controlled)
    options = room_io.RoomOptions(audio_input=listening)
    quiet = voice(2.0) // 10
    async with call(livekit_server, name, agent, room_options=options) as held:
        await held.caller.speak(quiet)
        await held.caller.until(lambda: agent.loud() > 1.0)
    heard = max(np.abs(np.asarray(frame.data)).max() for frame in agent.frames)
    assert (heard > 2 * np.abs(quiet).max()) == controlled


async def test_a_caller_whose_microphone_goes_has_stopped_speaking(
    livekit_server: LiveKitServer, name: str
) -> None:
    states: list[str] = []
    async with call(livekit_server, name, Singer([])) as held:
        held.session.on("user_state_changed", lambda event: states.append(event.new_state))
        (microphone,) = held.caller.room.local_participant.track_publications
        speaking = asyncio.create_task(held.caller.speak(voice(3.0)))
        await held.caller.until(lambda: states == ["speaking"])
        await held.caller.room.local_participant.unpublish_track(microphone)
        await held.caller.until(lambda: states == ["speaking", "listening"], 1.5)
        speaking.cancel()


async def test_pictures_are_there_for_a_program_that_asks_for_them(
    livekit_server: LiveKitServer, name: str
) -> None:
    options = room_io.RoomOptions(video_input=True)
    async with call(livekit_server, name, Singer([]), room_options=options) as held:
        source = rtc.VideoSource(64, 48)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        camera = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)
        await held.caller.room.local_participant.publish_track(track, camera)
        picture = rtc.VideoFrame(64, 48, rtc.VideoBufferType.RGBA, bytes(64 * 48 * 4))

        async def film() -> None:
            while True:
                source.capture_frame(picture)
                await asyncio.sleep(0.05)

        filming = asyncio.create_task(film())
        assert held.session.input.video is not None
        seen = await asyncio.wait_for(anext(aiter(held.session.input.video)), 10)
        assert (seen.width, seen.height) == (64, 48)
        filming.cancel()
        await source.aclose()


async def test_a_session_that_only_writes_takes_no_part_in_the_sound_of_the_room(
    livekit_server: LiveKitServer, name: str
) -> None:
    options = room_io.RoomOptions(audio_input=False, audio_output=False)
    async with call(livekit_server, name, Singer([song(4)]), room_options=options) as held:
        await held.caller.write("hello")
        await held.caller.until(lambda: held.caller.lines and held.caller.lines[-1].over)
        assert dict(held.session.room_io.room.local_participant.track_publications) == {}
    assert held.caller.said("agent") == [song(4)]


async def test_what_a_program_has_attached_itself_is_left_to_it(
    livekit_server: LiveKitServer, name: str
) -> None:
    async with call(livekit_server, name, Singer([]), join=False) as held:
        other: AgentSession[Any] = AgentSession()
        other.output.audio = own = Paced()
        await other.start(Singer([]), room=held.session.room_io.room)
        assert other.output.audio is own
        assert other.room_io.audio_output is None
        await other.aclose()
