"""Tools for calls, by LiveKit's module path."""

from antiphon.beta.calls import EndCallTool, send_dtmf_events

__all__ = ["EndCallTool", "send_dtmf_events"]
