"""Whether anything of what an agent was to say came through, read from the timeline of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antiphon.pipeline import timeline


class CameThrough:
    """Mutable state: the replies there were, those that failed, and those that were said."""

    def __init__(self) -> None:
        self._say: set[int] = set()  # asked for by the program, which needs no model
        self._said: set[int] = set()
        self._failed: set[int] = set()
        self._errors = 0

    def note(self, record: timeline.Record) -> None:
        """Read one record."""
        reply = record.reply or 0
        match record.kind:
            case "reply_started" if record.detail["source"] == "say":
                self._say.add(reply)
            case "message" if record.detail["role"] == "assistant":
                self._said.add(reply)
            case "audible":
                self._said.add(reply)
            case "error":
                self._errors += 1
                if reply:
                    self._failed.add(reply)

    @property
    def nothing(self) -> bool:
        """Something failed, and no reply was whole; a greeting is none to one who asks."""
        whole = self._said - self._failed
        unanswered = self._failed - self._say and not whole - self._say
        return bool(unanswered or (self._errors and not whole))
