"""Payment cards, by LiveKit's module path."""

from antiphon.workflows import (
    CardCaptureDeclinedError,
    CardCollectionRestartError,
    GetCardNumberResult,
    GetCardNumberTask,
    GetCreditCardResult,
    GetCreditCardTask,
    GetExpirationDateResult,
    GetExpirationDateTask,
    GetSecurityCodeResult,
    GetSecurityCodeTask,
)

__all__ = [
    "CardCaptureDeclinedError",
    "CardCollectionRestartError",
    "GetCardNumberResult",
    "GetCardNumberTask",
    "GetCreditCardResult",
    "GetCreditCardTask",
    "GetExpirationDateResult",
    "GetExpirationDateTask",
    "GetSecurityCodeResult",
    "GetSecurityCodeTask",
]
