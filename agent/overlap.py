"""A model that judges the user's voice over a reply: does it interrupt, or does it only go along?

LiveKit's, which runs at LiveKit Inference (`interruption={"mode": "adaptive"}`). It hears every
frame, is told when the agent and the user speak, and reports the voices that are interruptions;
the others pause nothing, and their words are kept. Without it, and once it has failed, sound and
words decide, as in the mode "vad".
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, get_args

from livekit.agents import inference

from antiphon.pipeline import observations as o
from antiphon.unheard import recognised

if TYPE_CHECKING:
    from livekit import rtc

    from antiphon.conversation import Conversation
    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.session")

INSTEAD: Final = "the detector of speech and the words decide instead"

# The public type of what its stream takes names them, in this order, and no module does.
_FRAME, AGENT_STARTS, AGENT_ENDS, VOICE_STARTS, VOICE_ENDS, _FLUSH = get_args(
    inference.InterruptionDataFrameType
)


class Overlap:
    """Mutable state: the model and its open stream, whether it has failed, and whether it is asked
    about a voice."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._stream: Any = None
        self._failed = False
        self._asked = False

    @property
    def after(self) -> float | None:
        """It judges voices that start so many seconds into a reply; None: there is no such model,
        or it does not work."""
        if self._stream is None:
            return None
        boundary = self._options["backchannel_boundary"]
        return float(boundary[0] if isinstance(boundary, tuple | list) else boundary or 0.0)

    @property
    def _options(self) -> Any:
        return self._conversation.options["interruption"]

    def follow(self) -> None:
        """Ask it, or do not ask it, as the options say now."""
        wanted = self._options.get("mode") == "adaptive"
        if wanted and self._stream is None and not self._failed:
            self._open()
        elif not wanted and self._stream is not None:
            self._leave()

    def hear(self, frame: rtc.AudioFrame) -> None:
        """One frame of the user's audio."""
        if self._stream is not None:
            self._push(frame)

    def note(self, decision: o.Decision) -> None:
        """Tell it who speaks."""
        if self._stream is None:
            return
        match decision:
            case o.AgentIs(state="speaking"):
                self._push(AGENT_STARTS())
            case o.AgentIs():
                self._over(None, agent_ended=True)
                self._push(AGENT_ENDS())
            case o.UserIs(state="speaking", since=since):
                if self._conversation.machine.unjudged:
                    self._ask(since)
            case o.UserIs(since=since):
                self._over(since, agent_ended=False)

    def _ask(self, since: float) -> None:
        self._asked = True
        memory = self._conversation.memory
        began = memory.wall(since)
        self._push(VOICE_STARTS(speech_duration=memory.wall() - began, started_at=began))

    def _over(self, at: float | None, *, agent_ended: bool) -> None:
        """The voice, or what it was over, has ended at that loop time, or now."""
        if self._asked:
            self._asked = False
            ended_at = self._conversation.memory.wall(at)
            self._push(VOICE_ENDS(ended_at=ended_at, agent_ended=agent_ended))

    def _open(self) -> None:
        talk = self._conversation
        if talk.options["turn_detection"] == "manual" or not recognised(talk.agent):
            self._give_up("it needs a recogniser, and turns that are not ended by hand")
            return
        try:
            model = inference.AdaptiveInterruptionDetector()
            self._stream = model.stream()
        except Exception as error:  # no key, or no HTTP session
            self._give_up(str(error))
            return
        model.on("metrics_collected", talk.usage.collected)
        self._scope.start("overlap", self._read(self._stream))

    async def _read(self, stream: Any) -> None:
        """Take what it reports, until it fails or the session ends."""
        talk = self._conversation
        try:
            async with aclosing(stream):
                async for event in stream:
                    talk.session.report("overlapping_speech", lambda event=event: event)
                    if event.is_interruption:
                        self._asked = False
                        talk.observe(o.BargedIn())
                    talk.session.deliver()
        except Exception as error:
            if stream is self._stream:
                self._give_up(str(error))

    def _push(self, item: object) -> None:
        if self._stream is not None:
            try:
                self._stream.push_frame(item)
            except Exception as error:
                self._give_up(str(error))

    def _leave(self) -> None:
        stream, self._stream = self._stream, None
        stream.end_input()

    def _give_up(self, why: str) -> None:
        """It is of no use in this session."""
        self._stream, self._failed = None, True
        logger.warning('interruption mode "adaptive" is off (%s): %s', why, INSTEAD)
        self._conversation.learn_rules()
