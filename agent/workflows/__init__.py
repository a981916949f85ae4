"""Ready-made tasks and groups of tasks, by LiveKit's names (`beta.workflows`)."""

from antiphon.workflows.cards import (
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
from antiphon.workflows.dtmf import DtmfEvent, dtmf_event_to_code, format_dtmf
from antiphon.workflows.form import Entry, Field, Form, FormTask
from antiphon.workflows.group import TaskCompletedEvent, TaskGroup, TaskGroupResult
from antiphon.workflows.instructions import WorkflowInstructions
from antiphon.workflows.keypad import GetDtmfResult, GetDtmfTask
from antiphon.workflows.readings import Unreadable
from antiphon.workflows.tasks import (
    GetAddressResult,
    GetAddressTask,
    GetDOBResult,
    GetDOBTask,
    GetEmailResult,
    GetEmailTask,
    GetNameResult,
    GetNameTask,
    GetPhoneNumberResult,
    GetPhoneNumberTask,
)
from antiphon.workflows.warm_transfer import WarmTransferResult, WarmTransferTask

__all__ = [
    "CardCaptureDeclinedError",
    "CardCollectionRestartError",
    "DtmfEvent",
    "Entry",
    "Field",
    "Form",
    "FormTask",
    "GetAddressResult",
    "GetAddressTask",
    "GetCardNumberResult",
    "GetCardNumberTask",
    "GetCreditCardResult",
    "GetCreditCardTask",
    "GetDOBResult",
    "GetDOBTask",
    "GetDtmfResult",
    "GetDtmfTask",
    "GetEmailResult",
    "GetEmailTask",
    "GetExpirationDateResult",
    "GetExpirationDateTask",
    "GetNameResult",
    "GetNameTask",
    "GetPhoneNumberResult",
    "GetPhoneNumberTask",
    "GetSecurityCodeResult",
    "GetSecurityCodeTask",
    "TaskCompletedEvent",
    "TaskGroup",
    "TaskGroupResult",
    "Unreadable",
    "WarmTransferResult",
    "WarmTransferTask",
    "WorkflowInstructions",
    "dtmf_event_to_code",
    "format_dtmf",
]
