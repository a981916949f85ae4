"""What a console shows: both sides as they are spoken, and why each answer took as long as it did.

A reply is written while it is heard. A line that belongs after it (its stopping time) waits for its
end; one that comes in the middle (the user's words) breaks it, and it goes on below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, cast

from livekit.agents import io

if TYPE_CHECKING:
    from antiphon.pipeline import timeline


class Screen(io.TextOutput):
    """Mutable state: whether a reply's line is open, what waits for its end, and its outcome."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(label="console", next_in_chain=None)
        self._out = out
        self._open = False
        self._now = 0.0  # seconds since the session's start, of the last record
        self._begun: float | None = None  # when the reply that is spoken became audible
        self._after: list[str] = []
        self._cut = False

    def notice(self, text: str) -> None:
        """A line of the console's own."""
        self._end_line()
        self._write(f"{text}\n")

    def user(self, text: str) -> None:
        """What the user has said."""
        self._end_line()
        self._write(f"{self._now:7.2f}  user   {text}\n")

    def note(self, record: timeline.Record) -> None:
        """Something happened that may want a line."""
        self._now = record.t
        detail = record.detail
        match record.kind:
            case "audible":
                self._begun = record.t
            case "message" if detail["role"] == "assistant" and detail["interrupted"]:
                self._cut = True
            case "delay":
                self._explain(_sum(cast("dict[str, float]", detail["parts"]), detail["total"]))
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
        if not self._open:
            at = self._now if self._begun is None else self._begun
            self._write(f"{at:7.2f}  agent  ")
            self._open, self._begun, text = True, None, text.lstrip()
        self._write(text.replace("\n", " "))

    def flush(self) -> None:
        """The reply is over."""
        if self._cut:
            self._write(" [interrupted]\n" if self._open else f"{'':16}[interrupted]\n")
            self._open = self._cut = False
        self._end_line()
        for line in self._after:
            self._explain(line)
        self._after.clear()

    def _later(self, line: str) -> None:
        if self._open:
            self._after.append(line)
        else:
            self._explain(line)

    def _explain(self, line: str) -> None:
        self._end_line()
        self._write(f"{'':9}       {line}\n")

    def _end_line(self) -> None:
        if self._open:
            self._open = False
            self._write("\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _sum(parts: dict[str, float], total: object) -> str:
    named = " + ".join(f"{name} {seconds:.3f}" for name, seconds in parts.items() if seconds)
    return f"answered after {total:.3f} s" + (f" = {named}" if named else "")
