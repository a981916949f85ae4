"""When the user is not listened to, because the application has asked for that.

In the first seconds in which the agent speaks (`aec_warmup_duration`) an echo canceller has not
learnt yet, and what comes in may be the agent itself: nobody hears it. While a speech plays that
must not be interrupted, the recogniser hears silence (`discard_audio_if_uninterruptible`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit import rtc

from antiphon.pipeline.turn_table import Floor

if TYPE_CHECKING:
    from antiphon.conversation import Conversation


class Deafness:
    """Mutable state: when the echo canceller has learnt, once the agent has begun to speak."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._learnt: float | None = None

    @property
    def whole(self) -> bool:
        """Nothing is heard: it may be the agent."""
        talk = self._conversation
        lasts = talk.session.options.aec_warmup_duration
        if not lasts or talk.states.agent != "speaking":
            return False
        now = asyncio.get_running_loop().time()
        if self._learnt is None:
            self._learnt = now + lasts
        return now < self._learnt

    @property
    def of_words(self) -> bool:
        """A voice is heard, and not what it says."""
        talk = self._conversation
        guarded = talk.machine.floor is Floor.PROTECTED
        return guarded and bool(talk.options["interruption"]["discard_audio_if_uninterruptible"])


def silent(frame: rtc.AudioFrame) -> rtc.AudioFrame:
    """A frame as long as this one, without a sound."""
    samples, channels = frame.samples_per_channel, frame.num_channels
    return rtc.AudioFrame(bytes(2 * samples * channels), frame.sample_rate, channels, samples)
