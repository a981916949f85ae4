"""What came of one turn of a test: the result of `session.run`, and how it is told.

    result = await session.run(user_input="Can I book a table?")
    result.expect.next_event().is_message(role="assistant")
    result.expect.no_more_events()

The events are in the order in which they began; what a step of the agent says stands before the
tools it calls, also where all of it happens at one instant.
"""

from __future__ import annotations

import asyncio
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic

from livekit.agents import NOT_GIVEN, NotGivenOr, RunOutputOptions, UnexpectedModelBehavior, llm
from livekit.agents.utils import resolve_env_int
from typing_extensions import TypeVar  # with a default, before 3.13

from antiphon import arguments
from antiphon.assertions import (
    AgentHandoffEvent,
    ChatMessageEvent,
    FunctionCallEvent,
    FunctionCallOutputEvent,
    RunAssert,
    RunEvent,
    shown,
)
from antiphon.pipeline.errors import ArgumentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator

    from antiphon.speech import SpeechHandle

T = TypeVar("T", default=Any)

ASK_AGAIN: Final = (
    "The result is still missing, and words alone do not give it: "
    "call the function that hands it in."
)
RETRIES: Final = 2  # times that a model is asked again for an output it did not give

_OPTIONS: Final = {"max_retries": arguments.count, "retry_instructions": arguments.anything}
_EVENTS: Final = {
    "message": ChatMessageEvent,
    "function_call": FunctionCallEvent,
    "function_call_output": FunctionCallOutputEvent,
}

Step = tuple["SpeechHandle", int]
"""One step of one speech: what the model said, and what it called."""


class RunResult(Generic[T]):
    """What came of a turn; `await` it until everything that follows from the turn is over.

    Awaiting raises what the last speech failed with, and UnexpectedModelBehavior where it came to
    no `output_type`. Mutable state: the events, the step each is of, the speech that ended last,
    how often the model may still be asked again, and how it ended.
    """

    def __init__(
        self,
        *,
        user_input: str | None = None,
        output_type: type[T] | None = None,
        output_options: NotGivenOr[RunOutputOptions | None] = NOT_GIVEN,
    ) -> None:
        options = arguments.said(output_options, RunOutputOptions())
        if options is None:
            options = RunOutputOptions(max_retries=0)
        arguments.mapping("output_options", options, _OPTIONS)
        if output_type is not None and not isinstance(output_type, type):
            raise ArgumentError(
                f"output_type={output_type!r}: write a class, such as dict or Order"
            )
        self._user_input = user_input
        self._output_type = output_type
        self._retries = options.get("max_retries", RETRIES)
        self._ask_again = options.get("retry_instructions", ASK_AGAIN)
        self._events: list[RunEvent] = []
        self._steps: list[Step | None] = []
        self._last: SpeechHandle | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._error: BaseException | None = None
        self._output: T | None = None

    # What a test reads.

    @property
    def events(self) -> list[RunEvent]:
        """What happened, in the order in which it began."""
        return list(self._events)

    @cached_property
    def expect(self) -> RunAssert:
        """Assertions about the events. LIVEKIT_EVALS_VERBOSE=1 prints the events as well."""
        if resolve_env_int("LIVEKIT_EVALS_VERBOSE"):
            sys.stdout.write(f"\n{self}\n")
        return RunAssert(self._events)

    @property
    def final_output(self) -> T:
        """What an `AgentTask` was completed with; UsageError while there is nothing."""
        if not self.done():
            raise UsageError("the run is not over: await it before you read final_output")
        if self._output is None:
            raise UsageError("the run came to no output: no AgentTask was completed in its tools")
        return self._output

    def done(self) -> bool:
        return self._done.done()

    def __await__(self) -> Generator[Any, None, RunResult[T]]:
        if not self.done():
            yield from asyncio.wait([self._done]).__await__()
        if self._error is not None:
            raise self._error
        return self

    def __str__(self) -> str:
        lines = [f"  [{n}] {shown(event)}" for n, event in enumerate(self._events)]
        return "\n".join([f"run of {self._user_input!r}", *(lines or ["  nothing happened"])])

    # What the session tells it.

    def added(self, handle: SpeechHandle, item: llm.ChatItem) -> None:
        """A speech has added an item; others than those a test looks for are passed over."""
        if isinstance(item, llm.ChatMessage | llm.FunctionCall | llm.FunctionCallOutput):
            event: Any = _EVENTS[item.type](item=item)
            self._insert(event, (handle, handle.num_steps))

    def handed_over(self, event: AgentHandoffEvent) -> None:
        self._insert(event, None)

    def _insert(self, event: RunEvent, step: Step | None) -> None:
        if self.done():
            return
        began = event.item.created_at
        before = [known.item.created_at <= began for known in self._events]
        place = len(before) - before[::-1].index(True) if True in before else 0
        if isinstance(event, ChatMessageEvent) and step in self._steps:
            place = min(place, self._steps.index(step))  # its words before its calls
        self._events.insert(place, event)
        self._steps.insert(place, step)

    def ended(self, handle: SpeechHandle) -> None:
        """A speech of this run is over."""
        self._last = handle

    def again(self) -> str | None:
        """What to ask the model again with, where it has given no output and may still do so."""
        last = self._last
        if self._output_type is None or last is None or last.exception() is not None:
            return None
        if last.result is not None or self._retries <= 0:
            return None
        self._retries -= 1
        return self._ask_again

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing more comes of it."""
        if self.done():
            return
        self._done.set_result(None)
        output = None if self._last is None else self._last.result
        wanted = self._output_type
        self._error = error or (None if self._last is None else self._last.exception())
        if self._error is not None:
            return
        if isinstance(output, BaseException):
            self._error = output
        elif wanted is not None and not isinstance(output, wanted):
            given = type(output).__name__
            self._error = UnexpectedModelBehavior(
                f"the run was to give {wanted.__name__}, and gave {given}"
            )
        else:
            self._output = output  # type: ignore[assignment]  # of that type, or of any
