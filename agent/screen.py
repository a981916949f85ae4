"""What a console shows: both sides as they are spoken, and why each answer took as long as it did.

A reply is written while it is heard. A line that belongs after it (its stopping time) waits for its
end; one that comes in the middle (the user's words) breaks it, and it goes on below.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TextIO, cast

from livekit.agents import io

if TYPE_CHECKING:
    from antiphon.pipeline import timeline

logger = logging.getLogger("antiphon.screen")

MARGIN: Final = " " * 16


class Screen(io.TextOutput):
    """Mutable state: the reply that is being heard (how much of it was written, whether its line is
    open, what is to follow it), and the time."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(label="console", next_in_chain=None)
        self._out = out
        self._written = ""  # of the reply, wherever its line was broken
        self._told = False  # to its end, which comes before the captions' own
        self._open = False
        self._gap = ""  # the space after the last word, written before the next one
        self._after: list[str] = []
        self._begun: float | None = None  # when it became audible
        self._now = 0.0  # seconds since the session's start, of the last record

    def notice(self, text: str) -> None:
        """A line of the console's own."""
        self.end_line()
        self._write(f"{text}\n")

    def user(self, text: str, at: float) -> None:
        """What the user has said, known `at` seconds after the session's start."""
        self.notice(f"{at:7.2f}  user   {text}")

    def note(self, record: timeline.Record) -> None:
        """Something happened that may want a line."""
        self._now = record.t
        detail = record.detail
        match record.kind:
            case "audible":
                self._begun = record.t
            case "message" if detail["role"] == "assistant":
                self._tell(str(detail["text"]), interrupted=bool(detail["interrupted"]))
            case "delay":
                self._later(_sum(cast("dict[str, float]", detail["parts"]), detail["total"]))
            case "stopped":
                voice, noticed = detail["voice"], detail["detection"]
                why = f"silent {voice:.2f} s after the user's voice began"
                self._later(f"{why} ({noticed:.2f} s after it was noticed)")
            case "resume":
                self._later("a pause for nothing: it went on where it had stopped")
            case "error":
                self.notice(f"  error  {detail['source']}: {detail['message']}")

    async def capture_text(self, text: str) -> None:
        """Words of the agent that have just been heard."""
        if not self._told:
            self._speak(text)

    def flush(self) -> None:
        """The reply is over."""
        if not self._told:  # it is not in history, so no message came
            self.end_line()
        self._told, self._written = False, ""

    def end_line(self) -> None:
        """Leave the line of a reply that is being heard, if there is one."""
        if self._open:
            self._open = False
            self._write("\n")
        after, self._after = self._after, []
        for line in after:
            self._later(line)

    def _tell(self, text: str, *, interrupted: bool) -> None:
        """Write what is missing of a reply that is over."""
        written = "" if self._told else self._written.strip()
        self._told = True
        if text.startswith(written):
            self._speak(text[len(written) :])
        if interrupted:
            self._write(" [interrupted]" if self._open else f"{MARGIN}[interrupted]\n")
        self.end_line()

    def _speak(self, text: str) -> None:
        self._written += text
        if not self._open and text.strip():
            at = self._now if self._begun is None else self._begun
            self._write(f"{at:7.2f}  agent  ")
            self._open, self._begun, self._gap = True, None, ""
            text = text.lstrip()
        if self._open:
            text = self._gap + text.replace("\n", " ")
            words = text.rstrip()
            self._gap = text[len(words) :]
            self._write(words)

    def _later(self, line: str) -> None:
        if self._open:
            self._after.append(line)
        else:
            self._write(f"{MARGIN}{line}\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except UnicodeEncodeError:
            self._write(text.encode("ascii", "replace").decode())
        except BrokenPipeError:  # nobody reads any more: the call and its record go on
            logger.debug("standard output is closed")


def _sum(parts: dict[str, float], total: object) -> str:
    named = " + ".join(f"{name} {seconds:.3f}" for name, seconds in parts.items() if seconds)
    return f"answered after {total:.3f} s" + (f" = {named}" if named else "")
