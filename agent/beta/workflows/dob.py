"""Dates of birth, by LiveKit's module path."""

from antiphon.workflows import GetDOBResult, GetDOBTask

__all__ = ["GetDOBResult", "GetDOBTask"]
