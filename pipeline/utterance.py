"""The user's words on their way to a turn: heard, perhaps revised, and handed on once."""

from __future__ import annotations

from antiphon.pipeline.endpointing import without_handed


class Utterance:
    """The words heard and not yet handed on.

    A recogniser that is replaced may still tell what it has heard: that was said before whatever
    the next one hears, and neither revises the other's words.

    Mutable state: what each recogniser has heard, by their numbers.
    """

    def __init__(self) -> None:
        self.text = ""  # all of it, joined
        self.settled = False  # there are words, and their final transcripts are here
        self.interim = False  # some of them are not final
        self._parts: dict[int, Part] = {}

    def hear(self, text: str, *, final: bool, recogniser: int = 0) -> bool:
        """Take a transcript of the words since the recogniser's last final one; False when it is no
        news."""
        part = self._parts.setdefault(recogniser, Part())
        for other in self._parts.values():  # what was handed on may be told by the next one again
            if without_handed(text, other.handed) != text:
                part.handed, other.handed = other.handed, part.handed
        news = part.hear(text, final=final)
        self._join()
        return news

    def hand_on(self) -> None:
        """Forget the words: somebody else has them now."""
        for part in self._parts.values():
            part.hand_on()
        self._parts = {n: part for n, part in self._parts.items() if part.handed}
        self._join()

    def begin_anew(self) -> None:
        """What comes now repeats nothing of what was handed on, unless an interim already does."""
        for part in self._parts.values():
            part.begin_anew()

    def _join(self) -> None:
        parts = [part for _, part in sorted(self._parts.items())]
        self.text = " ".join(
            words for part in parts for words in (*part.finals, part.interim) if words
        )
        self.interim = any(part.interim for part in parts)
        self.settled = bool(self.text) and not self.interim


class Part:
    """What one recogniser makes of them.

    Mutable state: the final words, the interim ones, and what a later final may repeat: an interim
    that was handed on before its final came.
    """

    def __init__(self) -> None:
        self.finals: list[str] = []
        self.interim = ""
        self.handed = ""  # of the interim as it came, what was handed on
        self._latest = ""  # the interim as it came

    def hear(self, text: str, *, final: bool) -> bool:
        """Take a transcript of the words since the last final one; False when it is no news."""
        text = " ".join(text.split())
        new = without_handed(text, self.handed)
        if final:
            rest = without_handed(self.handed, text)
            in_pieces = rest != self.handed  # this is the beginning of what was handed on
            self.handed = self._latest = rest if in_pieces else ""
            self.finals += [new] if new and not in_pieces else []
            self.interim = ""
        elif new == self.interim:
            return False
        else:
            self._latest = text or self.handed
            self.interim = new
        return True

    def hand_on(self) -> None:
        """Forget the words."""
        self.handed, self.finals, self.interim = self._latest, [], ""

    def begin_anew(self) -> None:
        """What comes now repeats nothing of what was handed on, unless an interim already does."""
        if not self.interim:
            self.handed = self._latest = ""
