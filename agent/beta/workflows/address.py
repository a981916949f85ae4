"""Addresses, by LiveKit's module path."""

from antiphon.workflows import GetAddressResult, GetAddressTask

__all__ = ["GetAddressResult", "GetAddressTask"]
