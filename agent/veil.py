"""Keeping numbers out of what is recorded and told, while an agent that is confidential listens."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "•"
SPOKEN: Final = (
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand double triple"
).replace(" ", "|")
NUMBER: Final = re.compile(rf"\d|\b(?:{SPOKEN})\b", re.IGNORECASE)


def veiled(text: str) -> str:
    """The text with every figure, and every word for a number, as one mark."""
    return NUMBER.sub(HIDDEN, text)
