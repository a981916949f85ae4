"""`python -m bench [--quick] [--only NAME …]` prints the table of goals and results.

What is being measured, and what was logged meanwhile, is told on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import platform
import sys
import time
from collections import Counter
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from antiphon.nodes.local.vad import WebRTCVAD
from antiphon.pipeline.clock import run as run_virtual
from bench import loops, providers, rows, steps
from bench.models import Pace
from bench.sessions import Bare, Harness, LiveKit, Ours

if TYPE_CHECKING:
    from collections.abc import Callable

Line = tuple[str, str, str, str, str]

SHORT = Pace(per_letter=0.015)  # so that a turn takes a second, nearly all of it listening


def timed(text: str) -> Pace:
    """First token at 0.3 s, then 60 a second; first byte after 0.15 s, then 4x real time."""
    return Pace(text=text, first_token=0.3, tokens_per_second=60.0, first_byte=0.15, speed=4.0)


def spread(values: list[float], digits: int = 2) -> str:
    """Median and 95th percentile."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"{median(ordered):.{digits}f} (p95 {p95:.{digits}f})"


def real(work: Any) -> Any:
    gc.collect()
    return asyncio.run(work)


def plain_overhead(quick: bool) -> list[Line]:
    turns, pace = (5, SHORT) if quick else (60, Pace())
    theirs = real(rows.overhead(lambda: LiveKit(pace, plain=True), turns))
    ours = real(rows.overhead(lambda: Ours(pace, plain=True), turns))
    ratio = median(theirs) / median(ours)
    return [
        (
            "turn overhead, plain nodes, ms",
            spread(theirs),
            "–",
            spread(ours),
            f"<= 0.5; {ratio:.1f}x",
        )
    ]


def model_overhead(quick: bool) -> list[Line]:
    turns, pace = (5, SHORT) if quick else (60, Pace())
    theirs = real(rows.overhead(lambda: LiveKit(pace, plain=False), turns))
    bare = real(rows.overhead(lambda: Bare(pace), turns))
    ours = real(rows.overhead(lambda: Ours(pace, plain=False), turns))
    above = median(ours) - median(bare)
    goal = f"<= bare + 0.5; is +{above:.2f}; {median(theirs) / median(ours):.1f}x"
    return [("turn overhead, LiveKit models, ms", spread(theirs), spread(bare), spread(ours), goal)]


def openings(quick: bool) -> list[Line]:
    lines = []
    for name, text, ideal, goal in (
        ("short first sentence", rows.SHORT_FIRST, 467, "<= +5; silence <= 50"),
        ("long first sentence", rows.LONG_FIRST, 950, "first audio <= 700"),
    ):
        pace = timed(text)
        times = 1 if quick else 3
        theirs = [real(rows.opening(partial(LiveKit, pace, plain=False))) for _ in range(times)]
        ours = [real(rows.opening(partial(Ours, pace, plain=False))) for _ in range(times)]
        for what, which in (("first audio", 0), ("longest silence", 1)):
            cells = [f"{median([r[which] for r in found]) * 1000:.0f}" for found in (theirs, ours)]
            lines.append((f"{name}: {what}, ms (ideal {ideal})", cells[0], "–", cells[1], goal))
    return lines


def barge_in(quick: bool) -> list[Line]:
    text = " ".join(rows.LONG.split()[:20]) if quick else rows.LONG
    late, times = run_virtual(
        rows.barge_in(lambda: Ours(Pace(text=text), plain=True), 100 if quick else 1000)
    )
    few = 2 if quick else 10
    ours = real(rows.barge_in(lambda: Ours(Pace(text=text), plain=True), few))[0]
    theirs = real(rows.barge_in(lambda: LiveKit(Pace(text=text), plain=True), few))[0]
    cell = f"{late} in {times} (virtual), {ours} in {few} (real)"
    return [("barge-in: frames after the decision", f"{theirs} in {few}", "–", cell, "0 in 1,000")]


def history(quick: bool) -> list[Line]:
    ours = run_virtual(rows.remembered(lambda pace: Ours(pace, plain=True), 40 if quick else 200))
    few = 2 if quick else 12
    theirs = real(rows.remembered(lambda pace: LiveKit(pace, plain=True), few))
    cell = f"{mean(ours):.2f} ({len(ours)} cuts, virtual)"
    return [
        (
            "history minus heard, words, mean absolute",
            f"{mean(theirs):.2f} ({few} cuts)",
            "–",
            cell,
            "<= 0.5",
        )
    ]


def pauses(quick: bool) -> list[Line]:
    ours = run_virtual(
        rows.pause_and_resume(lambda pace: Ours(pace, plain=True), 20 if quick else 100)
    )
    cell = f"{max(map(abs, ours))} samples in {len(ours)}"
    return [
        ("audio lost over pause and resume", "150-200 ms (room output)", "–", cell, "0 samples")
    ]


def load(quick: bool) -> list[Line]:
    number, seconds = (8, 6.0) if quick else (32, 24.0)
    pace = timed("Here is an answer of about ten words for you today.")
    found: dict[str, float] = {}
    makers: dict[str, Callable[[], Any]] = {
        "livekit": lambda: LiveKit(pace, plain=False),
        "bare": lambda: Bare(pace),
        "ours": lambda: Ours(pace, plain=False),
        "plain": lambda: Ours(pace, plain=True, vad=WebRTCVAD()),
        "harness": lambda: Harness(pace),
    }
    for name, make in makers.items():
        found[name] = real(rows.cpu(make, number, seconds))
    ratio = found["ours"] / found["bare"]
    return [
        (
            f"CPU s per session-minute, {number} sessions, LiveKit models",
            f"{found['livekit']:.3f}",
            f"{found['bare']:.3f}",
            f"{found['ours']:.3f}",
            f"<= 1.25x bare; {ratio:.2f}x",
        ),
        (
            "the same, plain nodes and the built-in VAD",
            "–",
            f"{found['harness']:.3f} (harness)",
            f"{found['plain']:.3f}",
            "<= 0.12",
        ),
    ]


def simulated(quick: bool) -> list[Line]:
    began = time.perf_counter()
    cuts = run_virtual(rows.ten_minutes())
    took = time.perf_counter() - began
    return [(f"ten simulated minutes, {cuts} barge-ins, s", "–", "–", f"{took:.2f}", "<= 2")]


def tools(quick: bool) -> list[Line]:
    number, pace = (5, SHORT) if quick else (60, Pace())
    without = real(rows.overhead(lambda: Ours(pace, plain=True), number))
    called = real(rows.overhead(lambda: steps.WithTools(pace), number))
    more = median(called) - median(without)
    goal = f"<= a turn without; +{more:.2f} to {median(without):.2f}"
    return [("turn overhead with a tool that takes no time, ms", "–", "–", spread(called), goal)]


def growth(quick: bool) -> list[Line]:
    late, window = (200, 20) if quick else (steps.LATE, steps.WINDOW)
    found = run_virtual(steps.turns(late + window))
    early = steps.typical(found[steps.EARLY : steps.EARLY + window])
    grown = steps.typical(found[late:]) / early - 1
    measure = f"a turn's work at turn {late} against turn {steps.EARLY}"
    return [(measure, "+14 % within 150 turns", "–", f"{100 * grown:+.1f} %", "< 10 %")]


def held(quick: bool) -> list[Line]:
    number, seconds = (2, 8.0) if quick else (8, 24.0)
    found = loops.callbacks(number, seconds)
    cell = f"{found[-1]:.2f} (99.9 %: {found[len(found) * 999 // 1000]:.2f}) of {len(found)}"
    measure = f"longest callback, {number} calls, built-in engines, CPU ms"
    return [(measure, "–", "–", cell, "<= 5")]


def speech_to_speech(quick: bool) -> list[Line]:
    if find_spec("livekit.plugins.openai") is None:
        return [("speech-to-speech", "–", "–", "–", "pip install -e '.[providers]'")]
    from bench import realtime  # beside the tests' server

    times, many = (5, 20) if quick else (20, 200)
    first = [real(realtime.first_sound(ours, times)) for ours in (False, True)]
    told = [real(realtime.cuts(ours, times)) for ours in (False, True)]
    _, beside = realtime.counted(realtime.cuts(True, many))
    within = sum(each <= 20 for each in beside)
    name, theirs = "speech-to-speech", told[0][1]
    return [
        (f"{name}: first delta to first frame, ms", spread(first[0]), "–", spread(first[1]), ""),
        (
            f"{name}: barge-in to truncate on the socket, ms",
            spread(told[0][0], 0),
            "–",
            spread(told[1][0], 0),
            "the plugin sends 100 ms pieces",
        ),
        (
            f"{name}: truncated beside what was heard, ms",
            f"{max(theirs):.1f} at most in {times}",
            "–",
            f"{max(beside):.1f} at most in {many}",
            f"<= 20; {within} of {many}",
        ),
    ]


CASES: dict[str, Callable[[bool], list[Line]]] = {
    "plain": plain_overhead,
    "models": model_overhead,
    "tools": tools,
    "growth": growth,
    "openings": openings,
    "barge-in": barge_in,
    "history": history,
    "pauses": pauses,
    "load": load,
    "simulated": simulated,
    "loop": held,
    **providers.CASES,
    "realtime": speech_to_speech,
}


class Logged(logging.Handler):
    """Keeps what is logged out of the table. Mutable state: how often each thing was said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self._said[f"{record.levelname} {record.name}: {record.getMessage()}"] += 1

    def lines(self) -> list[str]:
        return [f"{times} x {said}" for said, times in self._said.most_common()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer turns and sessions: about four minutes"
    )
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    head = f"Python {platform.python_version()}, {os.cpu_count()} cores, livekit-agents"
    show, tell = (partial(print, file=out, flush=True) for out in (sys.stdout, sys.stderr))
    logging.getLogger().addHandler(logged := Logged())
    show(f"{head} {version('livekit-agents')}")
    show(f"{'measure':<58} | {'LiveKit':<24} | {'bare':<20} | {'ours':<34} | goal")
    began = time.perf_counter()
    for number, name in enumerate(options.only, 1):
        passed = time.perf_counter() - began
        tell(f"[{passed:.0f} s] {name}, {number} of {len(options.only)}, is being measured")
        for measure, theirs, bare, ours, goal in CASES[name](options.quick):
            show(f"{measure:<58} | {theirs:<24} | {bare:<20} | {ours:<34} | {goal}")
    for line in logged.lines():
        tell(f"logged meanwhile: {line}")
    tell(f"done after {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
