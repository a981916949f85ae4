"""Keys pressed for the other side, by LiveKit's module path."""

from antiphon.beta.calls import send_dtmf_events

__all__ = ["send_dtmf_events"]
