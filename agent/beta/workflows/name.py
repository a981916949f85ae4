"""Names, by LiveKit's module path."""

from antiphon.workflows import GetNameResult, GetNameTask

__all__ = ["GetNameResult", "GetNameTask"]
