"""What each reply cost, for the timeline: told a moment after its end, when its models have said
what they used.

With a reply goes what was used since the last one and is of no other: the ears, and answers that
were prepared and thrown away. So all that is told adds up to what the session cost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from antiphon.conversation import Conversation
    from antiphon.costs import Costs
    from antiphon.pipeline.fate import Fate
    from antiphon.pipeline.reply import Reply
    from antiphon.used import Used

MOMENT: Final = 0.5  # seconds in which a model says what a request used that was cut
NAMES: Final = {"llm": "model", "tts": "voice", "stt": "ears"}
THROWN_AWAY: Final = "thrown away"
NAMELESS: Final = {"", "unknown"}  # models that do not say who they are


Of = tuple["Reply", "Fate"]  # a reply, and the step of it


class TurnCosts:
    """Mutable state: what was used and not told of yet, by the step of a reply that it was for, the
    timers of replies that have ended, and what was told so far."""

    def __init__(self, conversation: Conversation, costs: Costs) -> None:
        self._conversation = conversation
        self._costs = costs
        self._open: dict[Of | None, Counter[Used]] = {}
        self._timers: dict[Reply, asyncio.TimerHandle] = {}
        self._so_far = 0.0

    def note(self, reply: Reply | None, used: Used) -> None:
        """One request more, of that reply or of none."""
        of = None if reply is None else (reply, reply.step.fate)
        if reply is not None and of not in self._open and reply not in self._timers:
            if reply.done:
                self._ended(reply)
            else:
                handle = self._conversation.speaking.handle(reply)
                handle.add_done_callback(lambda _: self._ended(reply))
        self._open.setdefault(of, Counter())[used] += 1

    def close(self) -> None:
        """Tell of all that has not been told of."""
        for timer in self._timers.values():
            timer.cancel()
        for of in list(self._open):
            if of is not None:
                self._tell(of[0])
        self._tell(None)

    def _ended(self, reply: Reply) -> None:
        if reply not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[reply] = loop.call_later(MOMENT, self._tell, reply)

    def _tell(self, reply: Reply | None) -> None:
        if reply is not None:
            self._timers.pop(reply, None)
            if not any(of is not None and of[0] is reply and of[1].let_out for of in self._open):
                return  # it was thrown away, and goes with the next
        parts = dict.fromkeys((*NAMES.values(), THROWN_AWAY), 0.0)
        unknown: dict[str, None] = {}
        for of in [each for each in self._open if _goes_with(reply, each)]:
            for used, times in self._open.pop(of).items():
                name = NAMES[used.kind] if of is None or of[1].let_out else THROWN_AWAY
                if (dollars := self._costs.dollars(used)) is None:
                    unknown |= {used.model: None} if used.model not in NAMELESS else {}
                else:
                    parts[name] += dollars * times
        self._mark(reply, {name: dollars for name, dollars in parts.items() if dollars}, unknown)

    def _mark(self, reply: Reply | None, parts: dict[str, float], unknown: dict[str, None]) -> None:
        if not parts and not unknown:
            return
        dollars = sum(parts.values())
        self._so_far += dollars
        told = {"dollars": dollars, "so_far": self._so_far, "unknown": list(unknown)}
        self._conversation.mark("cost", reply, parts=parts, **told)


def _goes_with(reply: Reply | None, of: Of | None) -> bool:
    """What is of no reply, or was thrown away, goes with any."""
    return of is None or of[0] is reply or (of[0].done and not of[1].let_out)
