"""A turn detector of the user's: from the words so far, has the user finished?

One that goes by the sound is asked by `turn_by_sound`. One that goes by the words is asked when the
voice has stopped and its words are final, in a task of its own and for `OPINION` seconds at most;
its score makes the turn machine wait longer or not. The turn is not over before; without an answer
the machine goes by its delays alone.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Final

from antiphon import options
from antiphon.options import TextDetector
from antiphon.pipeline import observations as o
from antiphon.pipeline.turn_table import User
from antiphon.turn_by_sound import BySound

if TYPE_CHECKING:
    from livekit import rtc

    from antiphon.conversation import Conversation
    from antiphon.pipeline.streams import Scope

NONE: Final = o.Score(1.0, 0.0)  # whoever has no opinion asks for no longer delay


class EndOfTurn:
    """Mutable state: the question that is being asked; the language of the words, and whether they
    are final."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._asking: asyncio.Task[None] | None = None
        self._language: str | None = None
        self._settled = False  # the words so far are final
        self._detector: object = None
        self.by_sound = BySound(conversation, scope)

    def hear(self, frame: rtc.AudioFrame) -> None:
        """One frame of the user's audio."""
        self.by_sound.hear(frame)

    def follow(self) -> None:
        """Ask the detector that the options name now."""
        detector = self._conversation.options["turn_detection"]
        if detector is not self._detector:
            self._detector = detector
            self.by_sound.use(options.listener(detector))

    def note(self, seen: o.Observation) -> None:
        """Ask again when what is known of the turn has changed."""
        self.by_sound.note(seen)
        match seen:
            case o.VoiceStarted():
                self._stop()
            case o.Transcript():
                self._language = seen.language or self._language
                self._settled = seen.final
                self._ask()
            case o.VoiceStopped():
                self._ask()

    def _ask(self) -> None:
        detector = self._conversation.options["turn_detection"]
        machine = self._conversation.machine
        over = self._settled and machine.user is User.ENDING and machine.text
        if over and isinstance(detector, TextDetector):
            self._stop()
            self._asking = self._scope.start("end of turn", self._score(detector, machine.text))

    def _stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _score(self, detector: TextDetector, text: str) -> None:
        talk = self._conversation
        context = talk.memory.context(talk.agent)
        context.items.append(talk.memory.user_message(text))
        asked = self._scope.start("detector", _asked(detector, context, self._language))
        done, _ = await asyncio.wait([asked], timeout=options.OPINION)
        if not done:
            asked.cancel()
        elif not asked.cancelled():
            score = asked.result()
            if isinstance(score, Exception):
                talk.faults.failed("turn_detection", score)
            talk.observe(score if isinstance(score, o.Score) else NONE)


async def _asked(detector: Any, context: Any, language: str | None) -> o.Score | Exception | None:
    """The detector's score, or its error; None where it does not know the language."""
    try:
        supports = getattr(detector, "supports_language", None)
        if supports is not None and not await _value(supports(language)):
            return None
        likely = getattr(detector, "unlikely_threshold", None)
        threshold = await _value(likely(language)) if likely is not None else None
        probability = await detector.predict_end_of_turn(context, timeout=options.OPINION)
    except Exception as error:
        return error
    return o.Score(probability, 0.5 if threshold is None else threshold)


async def _value(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
