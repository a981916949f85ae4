"""Keys and instructions of the tasks, by LiveKit's module path."""

from antiphon.workflows import DtmfEvent, WorkflowInstructions, dtmf_event_to_code, format_dtmf

__all__ = ["DtmfEvent", "WorkflowInstructions", "dtmf_event_to_code", "format_dtmf"]
