"""Samples on their way to the listener: none lost, none twice, none after a cut."""

import asyncio
from collections.abc import Callable

import pytest

from antiphon.pipeline.ledger import Ledger, Sound
from antiphon.pipeline.pace import Pace
from antiphon.pipeline.playout import AGAIN, AHEAD, Mouth, Playout
from antiphon.pipeline.streams import Scope

RATE = 64  # a power of two: times of samples are exact


class Speaker:
    """Plays 64 samples a second by the loop's clock, and remembers which and when."""

    rate = RATE

    def __init__(self) -> None:
        self.played: list[int] = []
        self.silences: list[float] = []  # when it ran dry or was dropped, and sound came again
        self.ends = 0
        self._waiting: list[int] = []
        self._since = 0.0

    def write(self, pcm: memoryview) -> None:
        self._play()
        if not self._waiting:
            self._since = asyncio.get_running_loop().time()
            self.silences.append(self._since)
        self._waiting += pcm.tolist()

    def held(self) -> int:
        self._play()
        return len(self._waiting)

    def drop(self) -> int:
        self._play()
        dropped, self._waiting = len(self._waiting), []
        return dropped

    def end(self) -> None:
        self.ends += 1

    def settled(self, then: Callable[[int], None]) -> None:
        then(0)

    def _play(self) -> None:
        number = int((asyncio.get_running_loop().time() - self._since) * RATE)
        done, self._waiting = self._waiting[:number], self._waiting[number:]
        self.played += done
        self._since += len(done) / RATE


def sounds(*lengths: int) -> list[Sound]:
    """Sounds whose samples count from 1."""
    made, first = [], 1
    for length in lengths:
        made.append(Sound(numbered(first, length)))
        first += length
    return made


def numbered(first: int, length: int) -> memoryview:
    block = memoryview(bytearray(2 * length)).cast("h")
    for n in range(length):
        block[n] = first + n
    return block


class Mouthful:
    """A playout that plays these sounds to a speaker."""

    def __init__(self, *lengths: int) -> None:
        self.speaker = Speaker()
        self.first_sounds: list[float] = []
        self.ledger = Ledger(RATE, Pace())
        self.playout = Playout(self.speaker, self.ledger, self.note)
        self.sounds = sounds(*lengths)
        self.done: float | None = None
        self.then: Callable[[], object] = lambda: None  # what the first sound leads to
        for sound in self.sounds:
            self.ledger.add(sound)

    def note(self) -> None:
        self.first_sounds.append(asyncio.get_running_loop().time())
        self.then()

    def late(self, expected: float) -> float:
        """Seconds from its expected end to its real one."""
        assert self.done is not None
        return self.done - expected

    async def run(self) -> None:
        for sound in self.sounds:
            await self.playout.play(sound)
        await self.playout.drain()
        self.done = asyncio.get_running_loop().time()


def at(start: float, when: float, do: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_at(start + when, do)


LENGTHS = (7, 0, 30, 1, 16, 20)  # 74 samples
ALL = list(range(1, 75))


async def test_everything_is_played_once_without_a_gap_and_heard_to_the_end() -> None:
    mouthful = Mouthful(*LENGTHS)
    await mouthful.run()
    assert mouthful.speaker.played == ALL
    assert mouthful.speaker.silences == [0.0]
    assert 0.0 <= mouthful.late(74 / RATE) < 1 / RATE
    assert mouthful.first_sounds == [0.0]
    assert (mouthful.playout.heard, mouthful.speaker.ends) == (74, 1)


async def test_what_is_written_is_a_short_time_ahead() -> None:
    mouthful = Mouthful(*[2] * 100)
    async with Scope("s") as scope:
        scope.start("run", mouthful.run())
        most = 0.0
        for _ in range(300):
            await asyncio.sleep(1 / 128)
            ahead = mouthful.speaker.held() / RATE
            most = max(most, ahead)
            assert mouthful.playout.heard == 200 or ahead > AGAIN - 2 / RATE
        assert AHEAD - 2 / RATE < most <= AHEAD + 2 / RATE


@pytest.mark.parametrize("gap", [0.0, 1 / 64, 0.25, 1.0])
async def test_pausing_at_any_sample_loses_none_and_goes_on_at_once(gap: float) -> None:
    for number in range(80):
        start, mouthful = asyncio.get_running_loop().time(), Mouthful(*LENGTHS)
        at(start, number / RATE, mouthful.playout.pause)
        at(start, number / RATE + gap, mouthful.playout.resume)
        await mouthful.run()
        assert mouthful.speaker.played == ALL
        paused = 0.0 if number >= 74 else gap
        assert 0.0 <= mouthful.late(start + 74 / RATE + paused) < 1 / RATE
        assert mouthful.first_sounds == [start]
        assert mouthful.playout.heard == 74


async def test_pausing_twice_in_a_row_loses_no_sample_either() -> None:
    for first in range(0, 74, 3):
        for second in (1, 2, 5, 9):
            start, mouthful = asyncio.get_running_loop().time(), Mouthful(*LENGTHS)
            for when in (first / RATE, (first + 9 + second) / RATE):
                at(start, when, mouthful.playout.pause)
                at(start, when + 9 / RATE, mouthful.playout.resume)
            await mouthful.run()
            assert mouthful.speaker.played == ALL


async def test_what_was_heard_stands_still_while_it_is_paused() -> None:
    mouthful = Mouthful(*LENGTHS)
    async with Scope("s") as scope:
        scope.start("run", mouthful.run())
        await asyncio.sleep(20 / RATE)
        mouthful.playout.pause()
        mouthful.playout.pause()
        await asyncio.sleep(1.0)
        assert mouthful.playout.heard == 20
        assert mouthful.playout.audible
        assert not mouthful.playout.sounding
        mouthful.playout.resume()
        mouthful.playout.resume()
        await asyncio.sleep(3 / RATE)
        assert mouthful.playout.heard == 23
        assert mouthful.playout.sounding


@pytest.mark.parametrize("paused", [False, True])
async def test_a_cut_at_any_sample_is_silent_at_once_and_knows_what_was_heard(
    paused: bool,
) -> None:
    for number in range(80):
        start, mouthful = asyncio.get_running_loop().time(), Mouthful(*LENGTHS)
        heard: list[int] = []
        if paused:
            at(start, number / RATE, mouthful.playout.pause)
        at(
            start,
            number / RATE + paused,
            lambda mouthful=mouthful, heard=heard: heard.append(mouthful.playout.cut()),  # type: ignore[misc]
        )
        await mouthful.run()
        await asyncio.sleep(3.0)
        mouthful.playout.resume()
        await mouthful.playout.play(Sound(numbered(1, 5)))
        assert mouthful.speaker.held() == 0
        assert heard == [min(number, 74)]
        assert mouthful.speaker.played == ALL[:number]
        assert mouthful.playout.cut() == mouthful.playout.heard == min(number, 74)
        assert mouthful.playout.state is Mouth.CUT
        if number < 74:
            assert mouthful.done == start + number / RATE + paused, "nobody waits for silence"
            assert mouthful.speaker.ends == 0, number


async def test_the_first_sound_is_told_once_and_may_hold_or_end_the_reply() -> None:
    mouthful = Mouthful(*LENGTHS)
    mouthful.then = mouthful.playout.pause
    at(0.0, 1.0, mouthful.playout.resume)
    await mouthful.run()
    assert mouthful.first_sounds == [0.0]
    assert mouthful.speaker.played == ALL
    assert 0.0 <= mouthful.late(1.0 + 74 / RATE) < 1 / RATE

    mouthful = Mouthful(*LENGTHS)
    mouthful.then = mouthful.playout.cut
    await mouthful.run()
    assert mouthful.speaker.played == []
    assert not mouthful.playout.audible


async def test_a_reply_paused_before_its_first_sound_waits_and_then_sounds() -> None:
    mouthful = Mouthful(*LENGTHS)
    mouthful.playout.pause()
    at(0.0, 1.0, mouthful.playout.resume)
    await mouthful.run()
    assert mouthful.first_sounds == [1.0]
    assert mouthful.speaker.played == ALL


async def test_an_output_that_reports_late_amends_what_was_heard_within_what_there_was() -> None:
    mouthful = Mouthful(*LENGTHS)
    at(0.0, 20 / RATE, mouthful.playout.cut)
    await mouthful.run()
    for more, heard in ((5, 25), (-7, 18), (999, 74), (-999, 0)):
        mouthful.playout.amend(more)
        assert mouthful.playout.heard == heard


async def test_a_cancelled_player_leaves_no_timer_behind() -> None:
    mouthful = Mouthful(*LENGTHS)
    async with Scope("s") as scope:
        scope.start("run", mouthful.run())
        await asyncio.sleep(10 / RATE)
    mouthful.playout.cut()
    assert mouthful.playout.heard == 10
