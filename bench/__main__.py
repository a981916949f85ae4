"""`python -m bench [--quick] [--only NAME …]` prints the table of goals and results."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import sys
import time
from functools import partial
from importlib.metadata import version
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from antiphon.nodes.local.vad import WebRTCVAD
from antiphon.pipeline.clock import run as run_virtual
from bench import rows, steps
from bench.models import Pace
from bench.sessions import Bare, Harness, LiveKit, Ours

if TYPE_CHECKING:
    from collections.abc import Callable

Line = tuple[str, str, str, str, str]


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
    turns = 20 if quick else 60
    theirs = real(rows.overhead(lambda: LiveKit(Pace(), plain=True), turns))
    ours = real(rows.overhead(lambda: Ours(Pace(), plain=True), turns))
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
    turns = 20 if quick else 60
    theirs = real(rows.overhead(lambda: LiveKit(Pace(), plain=False), turns))
    bare = real(rows.overhead(lambda: Bare(Pace()), turns))
    ours = real(rows.overhead(lambda: Ours(Pace(), plain=False), turns))
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
    late, times = run_virtual(
        rows.barge_in(lambda: Ours(Pace(text=rows.LONG), plain=True), 100 if quick else 1000)
    )
    few = 3 if quick else 10
    ours = real(rows.barge_in(lambda: Ours(Pace(text=rows.LONG), plain=True), few))[0]
    theirs = real(rows.barge_in(lambda: LiveKit(Pace(text=rows.LONG), plain=True), few))[0]
    cell = f"{late} in {times} (virtual), {ours} in {few} (real)"
    return [("barge-in: frames after the decision", f"{theirs} in {few}", "–", cell, "0 in 1,000")]


def history(quick: bool) -> list[Line]:
    ours = run_virtual(rows.remembered(lambda pace: Ours(pace, plain=True), 40 if quick else 200))
    few = 4 if quick else 12
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
    number = 20 if quick else 60
    without = real(rows.overhead(lambda: Ours(Pace(), plain=True), number))
    called = real(rows.overhead(lambda: steps.WithTools(Pace()), number))
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
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns and sessions")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    head = f"Python {platform.python_version()}, {os.cpu_count()} cores, livekit-agents"
    show = partial(print, file=sys.stdout, flush=True)
    show(f"{head} {version('livekit-agents')}")
    show(f"{'measure':<58} | {'LiveKit':<24} | {'bare':<20} | {'ours':<34} | goal")
    for name in options.only:
        for measure, theirs, bare, ours, goal in CASES[name](options.quick):
            show(f"{measure:<58} | {theirs:<24} | {bare:<20} | {ours:<34} | {goal}")


if __name__ == "__main__":
    main()
