"""Keys of a telephone, by LiveKit's module path."""

from antiphon.workflows import GetDtmfResult, GetDtmfTask

__all__ = ["GetDtmfResult", "GetDtmfTask"]
