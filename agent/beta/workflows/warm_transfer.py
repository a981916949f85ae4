"""Warm transfers, by LiveKit's module path."""

from antiphon.workflows import WarmTransferResult, WarmTransferTask

__all__ = ["WarmTransferResult", "WarmTransferTask"]
