"""One call at a console: who talks to whom, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from antiphon.program import place_of

if TYPE_CHECKING:
    from pathlib import Path

    from livekit.agents import AgentServer

    from antiphon.line import Line
    from antiphon.record import CallRecord
    from antiphon.screen import Screen


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended: the program's exit status, and why, where there is something to say."""

    status: int
    why: str = ""
    error: BaseException | None = None
    reason: str = ""  # for the program's shutdown callbacks


@dataclass(frozen=True, slots=True)
class Call:
    """Who talks to whom, and what is kept of it."""

    server: AgentServer
    program: Path
    line: Line
    screen: Screen
    record: CallRecord | None


def left_by(left: SystemExit, program: Path) -> Ending:
    """How a call ends in which the program ends the process: `sys.exit` in any of its tasks."""
    place = place_of(left, program)
    match left.code:
        case None | 0:
            return Ending(0)
        case int() as status:
            return Ending(status, f"the program ended itself, exit {status} ({place})", left)
        case said:
            return Ending(1, f"the program ended itself: {said} ({place})", left)
