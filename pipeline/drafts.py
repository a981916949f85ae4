"""The reply that is prepared while the end of the user's turn is still being decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.pipeline.endpointing import same_words
from antiphon.pipeline.observations import Draft, Drop

if TYPE_CHECKING:
    from antiphon.pipeline.observations import Decision
    from antiphon.pipeline.turn_table import Rules


class Drafts:
    """Mutable state: the words the prepared reply answers, and how many there were this turn."""

    def __init__(self) -> None:
        self.made = 0
        self._text: str | None = None

    @property
    def standing(self) -> bool:
        """There is a prepared reply."""
        return self._text is not None

    def wanted(self, rules: Rules, spoken: float, *, voiced: bool) -> bool:
        """May another be prepared, `spoken` seconds into a turn? The last one waits for silence."""
        fresh = not rules.manual and not self.standing
        limit = rules.drafts - voiced
        return fresh and self.made < limit and spoken <= rules.draft_max_speech

    def make(self, text: str, out: list[Decision]) -> None:
        """Prepare a reply to `text`."""
        self._text = text
        self.made += 1
        out.append(Draft(text))

    def drop_unless(self, text: str | None, out: list[Decision]) -> None:
        """Throw the prepared reply away, unless it answers `text`."""
        if self._text is not None and (text is None or not same_words(self._text, text)):
            self._text = None
            out.append(Drop())

    def hand_on(self) -> bool:
        """The turn is over: True when a prepared reply goes with it."""
        drafted, self._text, self.made = self.standing, None, 0
        return drafted
