"""How a session takes part in a room: LiveKit's options, and what we choose for you.

Left out, frames are of 20 ms (LiveKit's are of 50: nothing could be noticed sooner than that), and
a line of chat is answered by this session.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents.utils import is_given
from livekit.agents.voice import room_io as livekit

if TYPE_CHECKING:
    from livekit.agents import NotGivenOr

    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.room")

FRAME: Final = 20  # milliseconds


async def answer(session: AgentSession[Any], event: livekit.TextInputEvent) -> None:
    """Answer a line of chat: at once, or after a speech that may not be interrupted."""
    with contextlib.suppress(RuntimeError):
        await session.interrupt()
    session.generate_reply(user_input=event.text)


@dataclass
class AudioInputOptions(livekit.AudioInputOptions):
    """LiveKit's, with frames of 20 ms."""

    frame_size_ms: int = FRAME


@dataclass
class TextInputOptions(livekit.TextInputOptions):
    """LiveKit's, answered by this session."""

    text_input_cb: Any = answer


@dataclass
class RoomInputOptions(livekit.RoomInputOptions):
    """Deprecated: a half of `RoomOptions`."""

    audio_frame_size_ms: int = FRAME
    text_input_cb: Any = answer


def audio_input(options: livekit.RoomOptions) -> livekit.AudioInputOptions | None:
    """None where the session does not listen to the room."""
    given = options.audio_input
    if isinstance(given, livekit.AudioInputOptions):
        return given
    return None if given is False else AudioInputOptions()


def text_input(options: livekit.RoomOptions) -> livekit.TextInputOptions | None:
    """None where nobody answers the chat. LiveKit's own answer is of its own session."""
    given = options.get_text_input_options()
    if given is not None and given.text_input_cb is livekit.TextInputOptions().text_input_cb:
        return TextInputOptions()
    return given


def resolved(
    options: NotGivenOr[livekit.RoomOptions],
    inputs: NotGivenOr[livekit.RoomInputOptions],
    outputs: NotGivenOr[livekit.RoomOutputOptions],
) -> livekit.RoomOptions:
    """One whole, from that or from its deprecated halves."""
    whole = copy.copy(options) if is_given(options) else livekit.RoomOptions()
    if is_given(inputs):
        _put_inputs(whole, inputs)
    if is_given(outputs):
        _put_outputs(whole, outputs)
    text = whole.get_text_output_options()
    if text is not None and text.transcription_speed_factor != 1.0:
        logger.warning("transcription_speed_factor is of no use: words are shown as they are heard")
    return whole


def _put_inputs(whole: livekit.RoomOptions, old: livekit.RoomInputOptions) -> None:
    whole.text_input = old.text_enabled is not False and livekit.TextInputOptions(old.text_input_cb)
    named = _part(old, "audio_", livekit.AudioInputOptions)
    named |= _part(old, "", livekit.AudioInputOptions)
    whole.audio_input = old.audio_enabled is not False and livekit.AudioInputOptions(**named)
    whole.video_input = old.video_enabled is True
    for name in (
        *("participant_kinds", "participant_identity"),
        *("close_on_disconnect", "delete_room_on_close"),
    ):
        setattr(whole, name, getattr(old, name))


def _put_outputs(whole: livekit.RoomOptions, old: livekit.RoomOutputOptions) -> None:
    whole.audio_output = old.audio_enabled is not False and livekit.AudioOutputOptions(
        sample_rate=old.audio_sample_rate,
        num_channels=old.audio_num_channels,
        track_publish_options=old.audio_publish_options,
        track_name=old.audio_track_name,
    )
    whole.text_output = old.transcription_enabled is not False and livekit.TextOutputOptions(
        sync_transcription=old.sync_transcription,
        transcription_speed_factor=old.transcription_speed_factor,
    )


def _part(old: livekit.RoomInputOptions, prefix: str, part: type[Any]) -> dict[str, Any]:
    """The fields of `part` that the half has under `prefix`."""
    names = {field.name for field in dataclasses.fields(part)}
    return {n: getattr(old, prefix + n) for n in names if hasattr(old, prefix + n)}
