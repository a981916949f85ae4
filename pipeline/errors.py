"""Everything this package raises on purpose; every message says what to do about it."""

from __future__ import annotations

from asyncio import CancelledError


class AntiphonError(Exception):
    """The root: catch this to catch all that is ours."""


class NodeError(AntiphonError):
    """A model or provider failed; it ends the turn it was needed for."""


class NodeUnavailable(NodeError):
    """A model could not be reached, or its library is not installed."""


def telling(error: BaseException, whose: str) -> Exception:
    """`error` as one to tell of: a library in Rust panics with what is no Exception."""
    if isinstance(error, Exception):
        return error
    cancelled = isinstance(error, CancelledError)
    what = "cancelled itself" if cancelled else f"raised {type(error).__name__}: {error}"
    told = NodeError(f"{whose} {what}")
    told.__cause__ = error
    return told


class UsageError(AntiphonError, RuntimeError):
    """The caller's mistake, raised before any task starts."""


class ArgumentError(UsageError, TypeError, ValueError):
    """An argument that cannot be; found when it is given, whichever of the three is caught."""


class SessionClosed(AntiphonError, RuntimeError):
    """The session closed before what was waited for came."""


class RoomLost(AntiphonError):
    """The connection to a room was lost for good; the message says how."""


class BadAudio(AntiphonError):
    """A sound file cannot be read or written; the message says why, in one line."""


class NoSound(AntiphonError):
    """There is no sound device, or it cannot be used; the message names what helps."""


class NodeTimeout(NodeError):
    """A node said nothing for too long."""

    @classmethod
    def after(cls, node: str, seconds: float) -> NodeTimeout:
        return cls(f"{node} gave nothing for {seconds:g} s; it was given up")
