"""A journal of a worker's calls on disk: what a worker that starts reads of one that was killed.

JSON lines, one when a call begins and one when it is over:

    {"call": "began", "job": "AJ_…", "dispatch": "AD_…", "room": "…", "agent": "…",
     "identity": "…", "sid": "…", "worker": [pid, born]}
    {"call": "over", "job": "AJ_…"}

No token, no secret and no metadata is in it; what else a call was asked for with is known by its
dispatch. Several workers of one machine may share a journal. A line is in the system's hands once
it is written: it outlives the process, though not a loss of power, which ends the calls as well.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

import psutil

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger("antiphon.worker")

BEGAN: Final = "began"
OVER: Final = "over"
SHORTEN_AFTER: Final = 1000  # calls that are over


@dataclass(frozen=True, slots=True)
class Call:
    """A job in a room: by what a successor finds the room, and the participant that is no more;
    `sid` is of the room as it was then."""

    job: str
    dispatch: str
    room: str
    agent: str
    identity: str
    sid: str = ""


class Journal:
    """Mutable state: the file at `path`, made when it is missing, for its owner's eyes only; and
    how many calls were over since it was made short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._over = 0
        self._worker = [os.getpid(), psutil.Process().create_time()]
        try:
            with self._open():
                pass
        except OSError as error:
            raise UsageError(f"the journal {path} cannot be written: {error.strerror}") from error

    def began(self, call: Call) -> None:
        self._write({"call": BEGAN, **asdict(call), "worker": self._worker})

    def over(self, job: str) -> None:
        self._write({"call": OVER, "job": job})
        self._over += 1
        if self._over % SHORTEN_AFTER == 0:
            self._rewrite(lambda line: True)

    def going_on(self) -> list[Call]:
        """The calls of other workers that live."""
        try:
            with self._open() as file:
                calls = _unfinished(file)
        except OSError as error:
            self._lost(error)
            return []
        others = [line for line in calls if line.get("worker") != self._worker]
        found = [_call(line) for line in others if _lives(line.get("worker"))]
        return [call for call in found if call is not None]

    def left_behind(self) -> list[Call]:
        """The calls of workers that are no more, each told to one worker only."""
        left = self._rewrite(lambda line: _lives(line.get("worker")))
        return [call for call in map(_call, left) if call is not None]

    def _write(self, line: dict[str, Any]) -> None:
        try:
            with self._open() as file:
                file.write(f"{json.dumps(line)}\n")
        except OSError as error:
            self._lost(error)

    def _rewrite(self, kept: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Leave of the calls that are not over those that are to be `kept`; return the others."""
        try:
            with self._open() as file:
                calls = _unfinished(file)
                to_keep = [line for line in calls if kept(line)]
                file.truncate(0)
                file.writelines(f"{json.dumps(line)}\n" for line in to_keep)
        except OSError as error:
            self._lost(error)
            return []
        return [line for line in calls if line not in to_keep]

    def _lost(self, error: OSError) -> None:
        """A disk that is full, or gone, must not end a call."""
        logger.error("the journal %s cannot be used: %s", self.path, error)

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        """The file, for as long as it is held by nobody else."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
            yield file


def _unfinished(file: TextIO) -> list[dict[str, Any]]:
    """The line with which each call that is not over began; a broken line is passed over."""
    calls: dict[str, dict[str, Any]] = {}
    for text in file:
        try:
            line = json.loads(text)
            if line["call"] == BEGAN:
                calls[line["job"]] = line
            else:
                calls.pop(line["job"], None)
        except (ValueError, TypeError, KeyError):
            logger.warning("a line of the journal cannot be read: %.80r", text)
    return list(calls.values())


def _call(line: dict[str, Any]) -> Call | None:
    try:
        return Call(**{name: str(({"sid": ""} | line)[name]) for name in Call.__slots__})
    except KeyError:
        return None


def _lives(worker: object) -> bool:
    """A process with this number that was born then; numbers are used again, in containers always
    the same."""
    if not isinstance(worker, list) or not worker or not isinstance(worker[0], int):
        return False
    try:
        return worker == [worker[0], psutil.Process(worker[0]).create_time()]
    except (psutil.Error, ValueError):
        return False
