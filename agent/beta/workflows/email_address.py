"""E-mail addresses, by LiveKit's module path."""

from antiphon.workflows import GetEmailResult, GetEmailTask

__all__ = ["GetEmailResult", "GetEmailTask"]
