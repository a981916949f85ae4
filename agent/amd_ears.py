"""Whoever answers an outbound call: their sound, and the words in it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc
from livekit.agents import stt, utils
from livekit.agents.job import DEFAULT_PARTICIPANT_KINDS

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.pipeline.streams import Scope
    from antiphon.session import AgentSession

TRACK_WITHIN: Final = 5.0  # seconds from when somebody is there to when there is sound of theirs
FINAL: Final = stt.SpeechEventType.FINAL_TRANSCRIPT


async def answering(
    session: AgentSession[Any], identity: str | None, timeout: float
) -> rtc.Track | None:
    """The track of whoever answers, once there is something to hear; None where there is no room.

    RuntimeError or TimeoutError when nobody does within `timeout` seconds.
    """
    try:
        room = session.room_io.room
    except UsageError:
        return None
    kinds = DEFAULT_PARTICIPANT_KINDS
    async with asyncio.timeout(timeout):
        who = await utils.wait_for_participant(room, identity=identity, kind=kinds)
    async with asyncio.timeout(TRACK_WITHIN):
        found = await utils.wait_for_track_publication(
            room,
            identity=who.identity,
            kind=rtc.TrackKind.KIND_AUDIO,
            wait_for_subscription=True,
        )
    if who.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
        await utils.participant.wait_for_participant_attribute(
            room, identity=who.identity, attribute="sip.callStatus", value="active"
        )
    return found.track


async def recognise(
    engine: stt.STT[Any], track: rtc.Track, scope: Scope, heard: Callable[[str], None]
) -> None:
    """Have the words in a track `heard`, until it ends."""
    async with aclosing(rtc.AudioStream(track)) as audio, engine.stream() as words:
        listening = scope.start("hear", _hear(audio, words))
        try:
            async for event in words:
                if event.type is FINAL and event.alternatives:
                    heard(event.alternatives[0].text)
        finally:
            listening.cancel()


async def _hear(audio: rtc.AudioStream, words: stt.RecognizeStream) -> None:
    async for event in audio:
        words.push_frame(event.frame)
