"""The console in plain lines: for a file, a pipe, `--plain`, and what a screen leaves behind.

A reply is written while it is heard. A line that belongs after it (its stopping time) waits for its
end; one that comes in the middle (the user's words, a pause that was for nothing, a `print` of the
program's) breaks it, and it goes on below. On a terminal lines break between words, and whoever
types sees a prompt whenever nothing is being said.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import textwrap
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TextIO, cast

from livekit.agents import io

from antiphon.screen_names import AGENT, USER, WENT_ON, paid, stopping, took

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from antiphon.nodes.wav import Samples
    from antiphon.pipeline import timeline
    from antiphon.screen import Wish

logger = logging.getLogger("antiphon.screen")

MARGIN: Final = " " * 16
HANGING: Final = " " * 9  # where the lines of a notice go on
PROMPT: Final = "> "
# What a terminal obeys instead of showing it; models and users write such a thing as well.
OBEYED: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
OWN: Final = re.compile(r"\x1b\[[\d;:]*[mK]|\r")  # what a program's line may do to itself
ERASED: Final = "\r\x1b[K"  # the line the cursor is in


class PlainScreen(io.TextOutput):
    """Mutable state: the reply that is being heard (how much of it was written, whether its line is
    open, what is to follow it), the time, and the cursor's column with the prompt before it."""

    typing = False

    def __init__(self, out: TextIO, width: int | None = None) -> None:
        """Lines break at `width`; left out, at the terminal's, and elsewhere never."""
        super().__init__(label="console", next_in_chain=None)
        self._out = out
        self._terminal = out.isatty() and os.environ.get("TERM") != "dumb"
        self._width = width or (shutil.get_terminal_size().columns if self._terminal else None)
        self._written = ""  # of the reply, wherever its line was broken
        self._told = False  # to its end, which comes before the captions' own
        self._open = False
        self._gap = ""  # the space after the last word, written before the next one
        self._after: list[str] = []
        self._begun: float | None = None  # when it became audible
        self._now = 0.0  # seconds since the session's start, of the last record
        self._column = 0
        self._inviting = self._invited = False

    @property
    def captions(self) -> io.TextOutput:
        return self

    def shown(
        self, title: str, caller: str, *, microphone: bool
    ) -> AbstractAsyncContextManager[None]:
        """Lines are shown as they come."""
        return nullcontext()

    async def wishes(self) -> AsyncIterator[Wish | str]:
        """None."""
        none: tuple[Wish, ...] = ()
        for wish in none:
            yield wish

    def stands(self, *, user: str = "", agent: str = "") -> None:
        """States are not shown."""

    def heard_user(self, samples: Samples) -> None:
        """Loudness is not shown."""

    def heard_agent(self, pcm: memoryview) -> None:
        """Loudness is not shown."""

    def switched(self, wish: Wish, on: bool) -> None:
        """There are no keys."""

    def notice(self, text: str, hanging: str = HANGING) -> None:
        """A line of the console's own."""
        self.end_line()
        self._line(tamed(text), hanging)

    def user(self, text: str, at: float) -> None:
        """What the user has said, known `at` seconds after the session's start."""
        self.notice(f"{_gutter(at, USER)}{text}", MARGIN)

    def typed(self, text: str, at: float) -> None:
        """What the user has typed; at a prompt it can be seen there."""
        if not self._inviting:
            self.user(text, at)

    def printed(self, text: str) -> None:
        """What the program prints."""
        if self._open:
            self.end_line()
        self._write(text)

    def invite(self, inviting: bool) -> None:
        """Show a prompt on a terminal, from now on, whenever nothing is being said."""
        self._inviting = inviting and self._terminal
        self._write("")

    def note(self, record: timeline.Record) -> None:
        """Something happened that may want a line."""
        self._now = record.t
        detail = record.detail
        match record.kind:
            case "audible":
                if self._open and not self._written:
                    self.end_line()
                self._begun = record.t
            case "message" if detail["role"] == "assistant":
                self._tell(str(detail["text"]), interrupted=bool(detail["interrupted"]))
            case "delay":
                parts = took(cast("dict[str, float]", detail["parts"]))
                named = " + ".join(f"{name} {seconds}" for _, name, seconds in parts)
                total = f"answered after {detail['total']:.3f} s"
                self._later(f"{total} = {named}" if named else total)
            case "stopped":
                if self._begun is not None:
                    self._begin()
                voice, noticed = detail["voice"], detail["detection"]
                self._later(stopping(cast("float", voice), cast("float", noticed)))
            case "cost":
                self._later(paid(record))
            case "unheard" if not (self._told or self._written):
                self._begin()  # not even the first word was heard out
                self._write("[interrupted]")
                self.end_line()
            case "resume":
                self.end_line()  # what is heard from now on belongs below
                self._later(WENT_ON)

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
        """Leave the line that is open, if there is one: a reply's, or a print's."""
        self._open = False
        if self._column:
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
        if self._open:
            self.end_line()

    def _speak(self, text: str) -> None:
        self._written += text
        if not self._open and text.strip():
            self._begin()
            text = text.lstrip()
        if self._open:
            for word, gap in re.findall(r"(\S*)(\s*)", tamed(text.replace("\n", " "))):
                self._word(word)
                self._gap = gap if word else self._gap + gap

    def _begin(self) -> None:
        """Begin the line of a reply, or go on below."""
        if self._open:
            return
        if self._column:
            self.end_line()
        at = self._now if self._begun is None else self._begun
        self._open, self._begun, self._gap = True, None, ""
        self._write(_gutter(at, AGENT))

    def _word(self, word: str) -> None:
        if not word:
            return
        full = self._width and self._column + len(self._gap) + len(word) > self._width
        broken = full and self._gap and self._column > len(MARGIN)
        self._write(f"\n{MARGIN}{word}" if broken else self._gap + word)
        self._gap = ""

    def _later(self, line: str) -> None:
        if self._open:
            self._after.append(line)
        else:
            self._line(MARGIN + line, MARGIN)

    def _line(self, text: str, hanging: str) -> None:
        """A whole line, or as many as it needs."""
        if self._width and len(text) > self._width:
            text = textwrap.fill(
                text,
                self._width,
                subsequent_indent=hanging,
                break_long_words=False,
                break_on_hyphens=False,
            )
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        if self._invited:
            self._put(ERASED)
            self._invited = False
        self._put(text)
        end = text.rpartition("\n")
        self._column = len(end[2]) + (0 if end[1] else self._column)
        if self._inviting and not self._open and not self._column:
            self._put(PROMPT)
            self._invited = True

    def _put(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except UnicodeEncodeError:
            self._put(text.encode("ascii", "replace").decode())
        except OSError:  # nobody reads any more: the call and its record go on
            logger.debug("standard output is closed")


def tamed(text: str, *, colours: bool = False) -> str:
    """`text` without what a terminal obeys; or with its colours, and what stays within a line."""
    return OBEYED.sub(lambda found: found[0] if colours and OWN.fullmatch(found[0]) else "", text)


def _gutter(at: float, who: str) -> str:
    return f"{at:7.2f}  {who:<5}  "
