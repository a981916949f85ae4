"""Phone numbers, by LiveKit's module path."""

from antiphon.workflows import GetPhoneNumberResult, GetPhoneNumberTask

__all__ = ["GetPhoneNumberResult", "GetPhoneNumberTask"]
