"""The measures of the table, each a coroutine that returns numbers for its contestants."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import numpy as np

from bench.models import Pace, sound
from bench.sessions import Contestant, Ours

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT_FIRST = (
    "Sure. The office on the corner opens at nine every weekday morning and stays open until"
    " half past five in the afternoon except on public holidays when nobody is there and on"
    " the last Friday of each month when the whole team leaves early to count the stock in"
    " store."
)
LONG_FIRST = (
    "The nearest branch that can help you with this kind of request today is located right"
    " behind the central station in a grey building that you cannot miss when you arrive."
)
LONG = " ".join(
    f"Sentence number {n} goes on for a little while about trains and rain." for n in range(1, 9)
)


async def answered(contestant: Contestant, timeout: float = 20.0) -> float:
    """Speak once; seconds from the first silent frame to the first frame handed to the sink."""
    first: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    marks: list[float] = []

    def began() -> None:
        if not first.done():
            first.set_result(time.perf_counter())

    def silent() -> None:
        contestant.count.clear()  # what was still written of the reply before
        contestant.count.on_first = began
        caller.on_silent = lambda: None
        marks.append(time.perf_counter())

    caller = contestant.caller
    caller.on_silent = silent
    caller.speak(0.2)
    async with asyncio.timeout(timeout):
        await first
    return first.result() - marks[0]


async def quiet(contestant: Contestant, seconds: float = 0.3, limit: float = 60.0) -> None:
    """Wait until nothing has been written for a while and what was written has been played."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < limit:
        last = contestant.count.writes[-1] if contestant.count.writes else began
        if contestant.sink.idle() and loop.time() - last > seconds:
            return
        await asyncio.sleep(0.02)


async def overhead(make: Callable[[], Contestant], turns: int) -> list[float]:
    """Milliseconds of framework time in each turn, with models that take none."""
    contestant = make()
    await contestant.start()
    await asyncio.sleep(0.1)
    found = []
    for _ in range(turns + 2):
        found.append(await answered(contestant) * 1000)
        await quiet(contestant, 0.05)
    await contestant.close()
    return found[2:]


async def opening(make: Callable[[], Contestant]) -> tuple[float, float]:
    """Seconds to the first audio, and the longest silence within the reply."""
    contestant = make()
    await contestant.start()
    await asyncio.sleep(0.1)
    first = await answered(contestant)
    await quiet(contestant, 1.0)
    await contestant.close()
    return first, contestant.count.gap()


async def barge_in(make: Callable[[], Contestant], times: int) -> tuple[int, int]:
    """Frames handed to the sink after the decision, and how many barge-ins there were.

    The decision is the first moment after the user's voice began at which the sink stopped
    playing; a frame written later than that, before the next answer, is one too many.
    """
    contestant = make()
    await contestant.start()
    await asyncio.sleep(0.1)
    late = 0
    loop = asyncio.get_running_loop()
    for _ in range(times):
        await answered(contestant)
        await asyncio.sleep(0.3 + random.random() * 0.5)
        contestant.caller.speak(0.3)
        await asyncio.sleep(0.06)  # two frames: both sessions have decided by then
        decided = loop.time()
        await asyncio.sleep(0.22)  # and the user still speaks: nothing may be written
        late += sum(at > decided for at in contestant.count.writes)
        await quiet(contestant, 0.3)
    await contestant.close()
    return late, times


async def remembered(make: Callable[[Pace], Contestant], cuts: int) -> list[float]:
    """|words in history − words heard|, over voices of several speeds and many cut points."""
    errors: list[float] = []
    points = random.Random(7)
    voices = [(0.06, 0.0), (0.075, 0.0), (0.03, 0.18), (0.0, 0.4)]
    for number in range(cuts):
        per_letter, per_word = voices[number % len(voices)]
        pace = Pace(
            text=LONG,
            per_letter=per_letter,
            per_word=per_word,
            first_byte=0.15,
            speed=4.0,
            tokens_per_second=60.0,
        )
        contestant = make(pace)
        await contestant.start()
        await asyncio.sleep(0.1)
        await answered(contestant)
        await asyncio.sleep(points.uniform(1.0, 12.0))
        contestant.caller.speak(0.5)
        await asyncio.sleep(1.0)
        heard = words_heard(contestant.count.heard(), pace)
        said = [text for role, text in contestant.history() if role == "assistant"]
        errors.append(abs(len(said[0].split() if said else []) - heard))
        await contestant.close()
    return errors


def words_heard(samples: np.ndarray[tuple[int], np.dtype[np.int16]], pace: Pace) -> int:
    """Words of the reply of which the last sample was played, before the next reply began."""
    again = np.flatnonzero((samples[1:] == 1) & (samples[:-1] != 1))
    if len(again):
        samples = samples[: again[0] + 1]
    words = pace.text.split()
    whole = 0
    for number, word in enumerate(words, 1):
        needed = len(sound(pace, word))
        whole += int(np.count_nonzero(samples == number)) >= needed - 1
    return whole


async def pause_and_resume(make: Callable[[Pace], Contestant], times: int) -> list[int]:
    """Samples of a reply that the listener misses because of a cough in the middle of it."""
    missing = []
    points = random.Random(11)
    for _ in range(times):
        pace = Pace(text=" ".join(LONG.split()[:20]), first_byte=0.05)
        contestant = make(pace)
        await contestant.start()
        await asyncio.sleep(0.1)
        await answered(contestant)
        await asyncio.sleep(points.uniform(0.5, 4.0))
        contestant.caller.cough(0.3)
        await quiet(contestant, 2.0)
        missing.append(len(sound(pace, pace.text)) - len(contestant.count.heard()))
        await contestant.close()
    return missing


async def cpu(make: Callable[[], Contestant], sessions: int, seconds: float) -> float:
    """CPU seconds for each session-minute: every session listens and answers in turns."""
    contestants = [make() for _ in range(sessions)]
    for contestant in contestants:
        await contestant.start()
    await asyncio.sleep(1.0)
    cpu_began, began = time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        for contestant in contestants:
            contestant.caller.speak(1.0)
            await asyncio.sleep(6.0 / sessions)
    used, passed = time.process_time() - cpu_began, time.perf_counter() - began
    for contestant in contestants:
        await contestant.close()
    return used / (passed / 60 * sessions)


async def ten_minutes() -> int:
    """Ten minutes of conversation with twenty barge-ins; for the virtual clock."""
    text = " ".join(LONG.split()[:22])  # about seven seconds
    pace = Pace(text=text, tokens_per_second=60.0, first_token=0.3, first_byte=0.15, speed=4.0)
    contestant = Ours(pace, plain=True, quick=False, vad=None)
    await contestant.start()
    for turn in range(40):
        contestant.caller.speak(1.0)
        await asyncio.sleep(15.0 if turn % 2 else 5.0)
        if turn % 2 == 0:
            contestant.caller.speak(1.0)
            await asyncio.sleep(10.0)
    await contestant.close()
    return sum(record.kind == "cut" for record in contestant.session.timeline.records)
