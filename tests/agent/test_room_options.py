"""The options of a room, with what is chosen for whoever leaves them out."""

from __future__ import annotations

import warnings

import pytest
from livekit import rtc
from livekit.agents import NOT_GIVEN
from livekit.agents import room_io as livekit

from antiphon import Agent, AgentSession, room_io
from antiphon.room_options import answer, audio_input, resolved, text_input


@pytest.mark.parametrize("given", [room_io.RoomOptions(), room_io.RoomOptions(audio_input=True)])
def test_frames_are_short_unless_the_program_says_otherwise(given: room_io.RoomOptions) -> None:
    listening = audio_input(given)
    assert listening is not None
    assert listening.frame_size_ms == room_io.AudioInputOptions().frame_size_ms == 20
    chosen = livekit.AudioInputOptions(frame_size_ms=50)
    assert audio_input(room_io.RoomOptions(audio_input=chosen)) is chosen
    assert audio_input(room_io.RoomOptions(audio_input=False)) is None


@pytest.mark.parametrize("given", [True, room_io.TextInputOptions(), livekit.TextInputOptions()])
def test_chat_is_answered_by_this_session_and_never_by_livekits(
    given: bool | livekit.TextInputOptions,
) -> None:
    chat = text_input(room_io.RoomOptions(text_input=given))
    assert chat is not None
    call: object = chat.text_input_cb
    assert call is answer


def test_a_programs_own_answer_to_chat_is_kept() -> None:
    def mine(session: object, event: object) -> None: ...

    chat = text_input(room_io.RoomOptions(text_input=room_io.TextInputOptions(mine)))
    assert chat is not None
    assert chat.text_input_cb is mine
    assert text_input(room_io.RoomOptions(text_input=False)) is None


def test_the_deprecated_halves_make_one_whole() -> None:
    kinds = [rtc.ParticipantKind.PARTICIPANT_KIND_SIP]
    whole = resolved(
        room_io.RoomOptions(),
        room_io.RoomInputOptions(
            text_enabled=False,
            video_enabled=True,
            audio_sample_rate=16_000,
            audio_frame_size_ms=10,
            pre_connect_audio_timeout=1.0,
            participant_kinds=kinds,
            participant_identity="ann",
            close_on_disconnect=False,
            delete_room_on_close=True,
        ),
        room_io.RoomOutputOptions(
            transcription_enabled=False, audio_sample_rate=48_000, audio_track_name="voice"
        ),
    )
    listening, speaking = audio_input(whole), whole.get_audio_output_options()
    assert listening is not None
    assert speaking is not None
    assert (listening.sample_rate, listening.frame_size_ms) == (16_000, 10)
    assert listening.pre_connect_audio_timeout == 1.0
    assert (speaking.sample_rate, speaking.track_name) == (48_000, "voice")
    assert text_input(whole) is None
    assert whole.get_text_output_options() is None
    assert whole.get_video_input_options() is not None
    assert (whole.participant_kinds, whole.participant_identity) == (kinds, "ann")
    assert (whole.close_on_disconnect, whole.delete_room_on_close) == (False, True)


def test_a_half_switches_only_its_own_side_off() -> None:
    off = room_io.RoomInputOptions(audio_enabled=False)
    whole = resolved(room_io.RoomOptions(), off, room_io.RoomOutputOptions())
    assert audio_input(whole) is None
    assert whole.get_audio_output_options() is not None
    assert text_input(whole) is not None


async def test_a_session_takes_the_halves_as_the_whole() -> None:
    session = AgentSession(vad=None)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        await session.start(
            Agent(instructions=""),
            room_input_options=room_io.RoomInputOptions(participant_identity="ann"),
        )
    assert session.room_options.participant_identity == "ann"
    await session.aclose()


def test_a_speed_of_the_transcript_that_nobody_will_see_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    resolved(room_io.RoomOptions(), NOT_GIVEN, NOT_GIVEN)
    assert caplog.messages == []
    text = room_io.TextOutputOptions(transcription_speed_factor=1.5)
    resolved(room_io.RoomOptions(text_output=text), NOT_GIVEN, NOT_GIVEN)
    assert "words are shown as they are heard" in caplog.text
