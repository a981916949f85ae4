"""The user's words on their way to a turn: heard, perhaps revised, and handed on once."""

from __future__ import annotations

from antiphon.pipeline.endpointing import without_handed


class Utterance:
    """The words heard and not yet handed on.

    Mutable state: the final words, the interim ones, and what a later final may repeat: an interim
    that was handed on before its final came.
    """

    def __init__(self) -> None:
        self.text = ""  # all of it, joined
        self.settled = False  # there are words, and their final transcripts are here
        self.interim = ""
        self._finals: list[str] = []
        self._latest = ""  # the interim as it came
        self._handed = ""  # of it, what was handed on

    def hear(self, text: str, *, final: bool) -> bool:
        """Take a transcript of the words since the last final one; False when it is no news."""
        text = " ".join(text.split())
        new = without_handed(text, self._handed)
        if final:
            rest = without_handed(self._handed, text)
            in_pieces = rest != self._handed  # this is the beginning of what was handed on
            self._handed = self._latest = rest if in_pieces else ""
            self._finals += [new] if new and not in_pieces else []
            self.interim = ""
        elif new == self.interim:
            return False
        else:
            self._latest = text or self._handed
            self.interim = new
        self._join()
        return True

    def hand_on(self) -> None:
        """Forget the words: somebody else has them now."""
        self._handed, self._finals, self.interim = self._latest, [], ""
        self._join()

    def begin_anew(self) -> None:
        """What comes now repeats nothing of what was handed on, unless an interim already does."""
        if not self.interim:
            self._handed = self._latest = ""

    def _join(self) -> None:
        self.text = " ".join(part for part in (*self._finals, self.interim) if part)
        self.settled = bool(self._finals) and not self.interim
