"""`antiphon conformance`: the suite for language models, run from the command line."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.pipeline.errors import AntiphonError, UsageError
from antiphon.program import blame

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from antiphon.conformance import Check, Provider, Result

    Say = Callable[[str], None]


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add = parser.add_argument
    add("target", nargs="?", metavar="MODULE:FUNCTION", help="makes the model; default: all known")
    add("--speaks", default="chat", help="the protocol of the server that it asks")
    add("--only", metavar="CHECK", nargs="+", help="some checks, by name")
    add("--real-time", action="store_true", help="for models that work in threads of their own")
    add("--write", type=Path, metavar="FILE", help="write the tables of all between its marks")
    add("--debug", action="store_true", help="show logs")


def run(given: argparse.Namespace, say: Say) -> int:
    """Run the suite and return the exit status: 0 where nothing failed."""
    with nullcontext() if given.debug else _unlogged():
        if given.target is None:
            return _all(given, say)
        provider, checks, real_time = _own(given)
        _made(provider)
        return _said(provider, checks, say, real_time=real_time or given.real_time)[0]


@contextmanager
def _unlogged() -> Iterator[None]:
    """The suite has models fail: what is logged of that is no news."""
    loggers = [logging.getLogger(name) for name in ("antiphon", "livekit", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _own(given: argparse.Namespace) -> tuple[Provider, Iterable[Check], bool]:
    from antiphon.conformance import BY_ITSELF, CHECKS, SPEAKS, Provider, own
    from antiphon.conformance.own import found

    if given.write is not None:
        raise UsageError("--write is for the tables of all; leave out the name of yours")
    if given.speaks not in SPEAKS:
        raise UsageError(f"--speaks {given.speaks}: there is {', '.join(SPEAKS)}")
    target = found(given.target)
    if isinstance(target, Provider):
        return target, _chosen(CHECKS, given.only), False
    provider, asks = own(target, given.speaks, given.target)
    return provider, _chosen(CHECKS if asks else BY_ITSELF, given.only), not asks


def _chosen(checks: Iterable[Check], only: list[str] | None) -> list[Check]:
    there = {check.name: check for check in checks}
    if unknown := set(only or ()) - there.keys():
        raise UsageError(f"no check {', '.join(sorted(unknown))}: there is {', '.join(there)}")
    return [check for name, check in there.items() if only is None or name in only]


def _made(provider: Provider) -> None:
    """Make the model once: what is wrong with that is said before any check, and once."""

    async def once() -> None:
        from livekit.agents import utils

        async with utils.http_context.open(), provider.at("http://127.0.0.1:9"):
            pass

    try:
        asyncio.run(once())
    except AntiphonError:
        raise
    except Exception as error:  # the function's own
        raise UsageError(f"{provider.name} raised {blame(error, Path('model.py'))}") from error


def _said(
    provider: Provider, checks: Iterable[Check], say: Say, *, real_time: bool = False
) -> tuple[int, list[Result]]:
    from antiphon.conformance import conform

    say(provider.name)
    results: list[Result] = []
    for result in conform(provider, checks, real_time=real_time):
        say(f"  {result}")
        results.append(result)
    failed = sum(result.outcome == "no" for result in results)
    say(f"  {len(results) - failed} of {len(results)}" + (", see above" if failed else ""))
    return (1 if failed else 0), results


def _all(given: argparse.Namespace, say: Say) -> int:
    from antiphon.conformance import CHECKS, PROVIDERS
    from antiphon.conformance.table import markdown, write

    if given.only is not None and given.write is not None:
        raise UsageError("--write is for all checks; leave out --only")
    worst, models = _each(PROVIDERS, _chosen(CHECKS, given.only), given, say)
    if given.only is not None:
        return worst
    status, speech = _speech(given, say)
    if given.write is None:
        return max(worst, status)
    write(given.write, markdown(models, speech))
    return 0  # what failed is in the table


def _speech(given: argparse.Namespace, say: Say) -> tuple[int, dict[Provider, list[Result]]]:
    """Recognisers and voices."""
    from antiphon.conformance.hearing import HEARING, RECOGNISERS
    from antiphon.conformance.speaking import SPEAKING, VOICES

    of_hearing, heard = _each(RECOGNISERS, HEARING, given, say)
    of_speaking, spoken = _each(VOICES, SPEAKING, given, say)
    return max(of_hearing, of_speaking), heard | spoken


def _each(
    providers: Iterable[Provider], checks: Iterable[Check], given: argparse.Namespace, say: Say
) -> tuple[int, dict[Provider, list[Result]]]:
    from antiphon.conformance import NotInstalled

    results: dict[Provider, list[Result]] = {}
    worst = 0
    for provider in providers:
        try:
            status, results[provider] = _said(provider, checks, say)
        except NotInstalled as error:
            if given.write is not None:
                raise
            say(f"  {error}")
            continue
        worst = max(worst, status)
    return worst, results
