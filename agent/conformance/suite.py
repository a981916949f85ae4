"""The suite: every check, and what came of one for a provider."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from antiphon.conformance.checks import TALKING, Check
from antiphon.conformance.faults import FAULTS
from antiphon.conformance.loop import LoopbackLoop
from antiphon.conformance.provider import NotInstalled, Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHECKS: Final = (*TALKING, *FAULTS)
LONG: Final = 300  # characters of a note


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check; `note` says why not, or qualifies a yes."""

    provider: str
    check: str
    outcome: Literal["yes", "no", "untried"]
    note: str = ""

    def __str__(self) -> str:
        return f"{self.check:<10} {self.outcome:<8} {self.note}".rstrip()


async def tried(provider: Provider, check: Check) -> Result:
    """Run one check on the running loop; NotInstalled where the plugin is not there."""
    if check.name in provider.untried:
        return Result(provider.name, check.name, "untried", provider.untried[check.name])
    try:
        note = await check.run(provider)
    except NotInstalled:
        raise
    except Exception as error:  # the model's own, or what the check saw
        why = provider.faults.get(check.name)
        told = _told(error)
        return Result(provider.name, check.name, "no", f"{told} ({why})" if why else told)
    return Result(provider.name, check.name, "yes", note)


def conform(
    provider: Provider, checks: Iterable[Check] = CHECKS, *, real_time: bool = False
) -> Iterator[Result]:
    """Run checks one after the other, each on a loop of its own; outside of a running loop.

    Its time is counted, and waited for nowhere (see `LoopbackLoop`), or, in `real_time`, the
    ordinary one: for a model that works in threads of its own, or asks over the network.
    """
    for check in checks:
        factory = None if real_time else LoopbackLoop
        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                yield runner.run(tried(provider, check))
        except TimeoutError as error:  # the loop itself found that nothing can happen any more
            yield Result(provider.name, check.name, "no", _told(error))


def _told(error: Exception) -> str:
    said = str(error).strip().split("\n")[0][:LONG]
    ours = type(error).__module__.startswith("antiphon.")
    return said if said and ours else f"{type(error).__name__}: {said}".rstrip(": ")
