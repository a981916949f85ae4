"""The end of a call, by LiveKit's module path."""

from antiphon.beta.calls import EndCallTool

__all__ = ["EndCallTool"]
