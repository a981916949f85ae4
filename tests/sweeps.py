"""Sweeps: one conversation held again and again, with something happening at every moment of it.

`ANTIPHON_SWEEP=10` holds every tenth of them. CI does so on every Python but the first: what
differs there is asyncio, and so what is cancelled, which is swept whole, and not the moment.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

STRIDE: Final = int(os.environ.get("ANTIPHON_SWEEP", "1"))


def every(begin: float, end: float, step: float = 0.01) -> Sequence[float]:
    """The moments from `begin` until before `end`, `step` seconds apart."""
    return each([begin + n * step for n in range(round((end - begin) / step))])


def each(cases: Sequence[T]) -> Sequence[T]:
    """All of these, or every n-th."""
    return cases[::STRIDE]
