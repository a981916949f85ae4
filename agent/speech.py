"""The handle of something the agent says: what a program holds while it is prepared and spoken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.reply import SPEAKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from livekit.agents import llm

    from antiphon.memory import Modality
    from antiphon.pipeline.reply import Reply
    from antiphon.speaking import Speaking


@dataclass(frozen=True, slots=True)
class InputDetails:
    """How what a speech answers came in."""

    modality: Modality


class SpeechHandle:
    """One speech of the agent. Awaiting it waits until it has been heard, or cut, and never raises.

    `exception()` says afterwards whether a node failed.
    """

    SPEECH_PRIORITY_LOW: Final = 0
    SPEECH_PRIORITY_NORMAL: Final = 5
    SPEECH_PRIORITY_HIGH: Final = 10

    def __init__(self, reply: Reply, speaking: Speaking, name: str) -> None:
        self._reply = reply
        self._speaking = speaking
        self._id = name
        self._items: list[llm.ChatItem] = []
        self._watchers: list[Callable[[llm.ChatItem], object]] = []
        self.result: object = None  # what an `AgentTask` was completed with in a tool of it
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._callbacks: dict[Callable[[SpeechHandle], object], None] = {}

    @property
    def id(self) -> str:
        return self._id

    @property
    def chat_items(self) -> list[llm.ChatItem]:
        """What it has added to the history so far."""
        return self._items

    def added(self, item: llm.ChatItem) -> None:
        """Called by the session for each item, as it comes to be."""
        if not any(item is known for known in self._items):
            self._items.append(item)
            for watch in list(self._watchers):
                watch(item)

    def watch(self, seen: Callable[[llm.ChatItem], object]) -> None:
        """Have `seen` called with every item it adds from now on."""
        self._watchers.append(seen)

    @property
    def input_details(self) -> InputDetails:
        """How what it answers came in: by voice, or as text of the application's."""
        source = self._reply.step.source
        return InputDetails(modality=getattr(source, "modality", "audio"))

    @property
    def num_steps(self) -> int:
        """How often the model was asked: once, and once more after each step with tools."""
        return self._reply.steps

    @property
    def interrupted(self) -> bool:
        """It was ended before its end, by the user or by the application."""
        return self._reply.interrupted

    @property
    def scheduled(self) -> bool:
        """It stands in line, or has the floor, or has had it."""
        return self._reply.confirmed

    @property
    def allow_interruptions(self) -> bool:
        """Whether the user may end it; RuntimeError where that is forbidden too late."""
        return not self._reply.kind.protected

    @allow_interruptions.setter
    def allow_interruptions(self, value: bool) -> None:
        if self.interrupted and not value:
            raise RuntimeError("this speech is interrupted already; it cannot be protected now")
        self._speaking.protect(self._reply, not value)

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the speech is; for who waits for several."""
        return self._done

    def done(self) -> bool:
        """It has been heard to its end, or was cut, with all of its tools."""
        return self._done.done()

    def exception(self) -> BaseException | None:
        """The error it failed with, None without one; InvalidStateError while it is not done."""
        if not self.done():
            raise asyncio.InvalidStateError("this speech is not done yet")
        return self._reply.error

    def interrupt(self, *, force: bool = False) -> SpeechHandle:
        """End it now. RuntimeError when it does not allow interruptions and `force` is not set."""
        if not (self.interrupted or self.done()):
            if not (force or self.allow_interruptions):
                raise RuntimeError("this speech does not allow interruptions; pass force=True")
            self._speaking.interrupt(self._reply)
        return self

    async def wait_for_playout(self) -> None:
        """Wait until all of it has been heard, or it was cut."""
        if SPEAKING.get() is self._reply and not self.done():
            raise UsageError(
                "this code runs inside the speech it would wait for, and would wait for ever"
            )
        if not self.done():
            await asyncio.wait([self._done])

    async def wait_if_not_interrupted(self, aw: list[asyncio.Future[Any]]) -> None:
        """Wait until all of those are done, or until it is interrupted; they are not cancelled."""
        left = {future for future in aw if not future.done()}
        while left and not self.interrupted:
            ending = set() if self.done() else {self._done}
            await asyncio.wait(left | ending, return_when=asyncio.FIRST_COMPLETED)
            left = {future for future in left if not future.done()}

    def __await__(self) -> Generator[None, None, SpeechHandle]:
        yield from self.wait_for_playout().__await__()
        return self

    def add_done_callback(self, callback: Callable[[SpeechHandle], object]) -> None:
        """Have it called, once, soon after the speech is done; with the handle."""
        if self.done():
            asyncio.get_running_loop().call_soon(callback, self)
        else:
            self._callbacks[callback] = None

    def remove_done_callback(self, callback: Callable[[SpeechHandle], object]) -> None:
        self._callbacks.pop(callback, None)

    def settle(self) -> None:
        """Called by the session, once, when the speech is over."""
        if not self._done.done():
            self._done.set_result(None)
        callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks:
            asyncio.get_running_loop().call_soon(callback, self)
