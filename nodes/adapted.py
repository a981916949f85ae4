"""Other people's audio outputs (avatars, test sinks, a room's own) seen as one of ours.

A sink is given frames, is flushed when what it was given is a whole, and reports once for each
such segment how far it played. Reports are matched to segments first in, first out. Where nothing
is reported, our own pacing is believed: real time from the first frame that the sink was given.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from livekit import rtc

from antiphon.pipeline.errors import NodeError
from antiphon.pipeline.ledger import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import io

    from antiphon.pipeline.streams import Scope

logger = logging.getLogger("antiphon.outputs")

LATE: Final = 0.5  # seconds after its end in which a segment's report is used
LOST: Final = 10.0  # seconds after its end when its report is not expected any more
STUCK: Final = 10.0  # seconds a sink may keep one frame waiting


class Segment:
    """What the sink plays between two flushes.

    Mutable state: the samples written to it and given to the sink, how fast these play, and, once
    it was ended or dropped, who waits for its report.
    """

    def __init__(self, rate: int) -> None:
        self.written = 0
        self.given = 0
        self.dropped = False
        self.settled = False
        self.over = 0.0  # loop time at which it was ended or dropped
        self.believed = 0  # samples heard when that was
        self.more = 0  # samples heard beyond these, by the sink's report
        self._rate = rate
        self._before = 0  # samples played when the sink last had nothing to play
        self._since = 0.0  # loop time at which the ones after these began
        self._waiting: list[Callable[[int], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, samples: int) -> None:
        self.written += samples

    def give(self, samples: int) -> None:
        """The sink has these now; they play when those before them have."""
        if self.played() == self.given:
            self._before, self._since = self.given, asyncio.get_running_loop().time()
        self.given += samples

    def played(self) -> int:
        passed = asyncio.get_running_loop().time() - self._since
        return min(self.given, self._before + int(passed * self._rate + TOLERANCE))

    def close(self, late: Callable[[Segment], None] | None) -> None:
        """No sample follows; `late` is called when its report has not come in time, and is None
        where none will come."""
        loop = asyncio.get_running_loop()
        self.over, self.believed = loop.time(), self.played()
        if late is None:
            self.settled = True
        else:
            self._timer = loop.call_later(LATE, late, self)

    def then(self, call: Callable[[int], None]) -> None:
        """Call `call` with how many samples more were heard than believed, once it is known."""
        if self.settled:
            call(0)
        else:
            self._waiting.append(call)

    def settle(self, position: float | None) -> None:
        """It was heard for `position` seconds, or nobody has said so in time."""
        if self.settled:
            return
        self.settled = True
        if self._timer is not None:
            self._timer.cancel()
        if position is not None:
            self.more = min(round(position * self._rate), self.written) - self.believed
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call(self.more)


class Adapted:
    """Any `io.AudioOutput` as one of ours. Frames go to it in a leaf task of `scope`, since taking
    one may wait; what it fails at is told to `failed` once, until it succeeds at it again.

    A segment is given to the sink when the one before has been reported, or is `LATE`: a sink has
    one buffer, and what it drops or reports must be of one segment. A sink that keeps a frame for
    `STUCK` seconds is given up until it lets go: what is written meanwhile is lost, in real time.

    Mutable state: the open segment and the last one dropped, those whose report is due, the queue
    to the sink, and what it fails at.
    """

    def __init__(
        self,
        sink: io.AudioOutput,
        scope: Scope,
        rate: int,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self.rate = sink.sample_rate or rate
        self.sink = sink
        self._failed = failed
        self._open = Segment(self.rate)
        self._dropped: Segment | None = None
        self._due: list[Segment] = []
        self._counted = sink.captured_playout_segments  # how many it has begun to play, and will
        self._queue: asyncio.Queue[tuple[Segment, memoryview | None]] = asyncio.Queue()
        self._reports: asyncio.Future[None] | None = None  # the queue waits for a report
        self._stuck = False
        self._failing: set[str] = set()
        sink.on("playback_finished", self._reported)
        scope.start("output", self._forward())

    def write(self, pcm: memoryview) -> None:
        if not pcm:
            return  # word times alone: a sink would begin to play nothing
        self._open.write(len(pcm))
        if self._stuck:
            self._open.give(len(pcm))
        else:
            self._queue.put_nowait((self._open, pcm))

    def held(self) -> int:
        return self._open.written - self._open.played()

    def drop(self) -> int:
        held, segment = self.held(), self._open
        self._dropped = None
        if not segment.written:
            return 0  # its end may still be on its way to the sink
        self._dropped = segment
        segment.dropped = True
        self._forget(segment)
        self._close()
        if segment.given:
            self._try("flush", self.sink.flush)  # a clear alone leaves a sink's segment open
        self._try("clear_buffer", self.sink.clear_buffer)
        return max(0, held - segment.more)  # the report may have come at once

    def settled(self, then: Callable[[int], None]) -> None:
        """Call `then` with how many samples more were heard than `drop` said, once it is known."""
        if self._dropped is None:
            then(0)
        else:
            self._dropped.then(then)

    def reported(self, then: Callable[[int], None]) -> None:
        """Call `then` when the sink has said how far it played what was ended, or is late."""
        due = [segment for segment in self._due if not segment.settled]
        if due:
            due[-1].then(then)
        else:
            then(0)

    def end(self) -> None:
        """The step is over: what follows is another segment to the sink."""
        if self._open.written:
            if not self._stuck:
                self._queue.put_nowait((self._open, None))
            self._close()

    def _close(self) -> None:
        """The open segment is over; its report is due where the sink has counted it."""
        segment, self._open = self._open, Segment(self.rate)
        counted, self._counted = self._counted, self.sink.captured_playout_segments
        if self._counted == counted:
            segment.close(None)
            return
        segment.close(self._too_late)
        self._due = [s for s in self._due if segment.over - s.over < LOST]
        self._due.append(segment)

    def _reported(self, event: io.PlaybackFinishedEvent) -> None:
        if self._due:
            self._due.pop(0).settle(event.playback_position)
        elif self._open.given:
            logger.debug("%s reported before the end; not used", self.sink.label)
            self._counted += 1  # so none is due at the end
        self._go_on()

    def _too_late(self, segment: Segment) -> None:
        segment.settle(None)
        self._go_on()

    def _go_on(self) -> None:
        if self._reports is not None and not self._reports.done():
            self._reports.set_result(None)

    def _forget(self, segment: Segment) -> None:
        """Take what the sink was not given yet out of the queue."""
        kept = [entry for entry in self._taken() if entry[0] is not segment]
        for entry in kept:
            self._queue.put_nowait(entry)

    def _taken(self) -> list[tuple[Segment, memoryview | None]]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    async def _forward(self) -> None:
        try:
            while True:
                await self._hand_on(*await self._queue.get())
        finally:  # the session is over, and the sink may be another's next
            self.sink.off("playback_finished", self._reported)

    async def _hand_on(self, segment: Segment, pcm: memoryview | None) -> None:
        if pcm is None:
            self._try("flush", self.sink.flush)
            return
        while not segment.given and any(not due.settled for due in self._due):
            self._reports = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._reports])
        if segment.dropped:
            return
        segment.give(len(pcm))
        await self._give(pcm)
        if segment.dropped:  # it may have let the frame in after it was cleared
            self._try("clear_buffer", self.sink.clear_buffer)

    async def _give(self, pcm: memoryview) -> None:
        task = asyncio.current_task()
        assert task is not None
        frame = rtc.AudioFrame(pcm.tobytes(), self.rate, 1, len(pcm))
        timer = asyncio.get_running_loop().call_later(STUCK, self._no_room)
        try:
            await self.sink.capture_frame(frame)
        except asyncio.CancelledError:
            if task.cancelling():
                raise
            self._fails("capture_frame", NodeError("it cancelled itself"))
        except Exception as error:
            self._fails("capture_frame", error)
        else:
            self._failing.discard("capture_frame")
        finally:
            timer.cancel()
        self._stuck = False

    def _no_room(self) -> None:
        self._fails("capture_frame", NodeError(f"it has kept a frame waiting for {STUCK:g} s"))
        self._give_up()

    def _give_up(self) -> None:
        self._stuck = True
        for segment, pcm in self._taken():
            if pcm is not None:
                segment.give(len(pcm))

    def _try(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self._fails(name, error)
        else:
            self._failing.discard(name)

    def _fails(self, name: str, error: Exception) -> None:
        if name in self._failing:
            return
        self._failing.add(name)
        why = f"the audio output {self.sink.label}: {name}: {str(error) or type(error).__name__}"
        told = NodeError(why)
        told.__cause__ = error
        if self._failed is None:
            logger.error("%s", why, exc_info=error)
        else:
            self._failed(told)
