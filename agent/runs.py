"""`session.run`: a turn of the user's without sound, and everything that comes of it.

A run is over when what began since then is over: speeches with their tools and what they hand over
to, and `on_enter` of who takes over. What waits for an `AgentTask` waits for the user's next turn;
it is left out, and belongs to the run in which it goes on. What was going on before, the greeting
perhaps, is not of the run; nor is what a tool in the background gives after the run is over.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from livekit.agents import NOT_GIVEN, NotGivenOr, RunOutputOptions, llm

from antiphon.assertions import AgentHandoffEvent
from antiphon.expect import RunResult, T
from antiphon.mocks import Mocks, mocked_here
from antiphon.pipeline.errors import SessionClosed, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Self

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.pipeline.streams import Scope
    from antiphon.speech import SpeechHandle


class Runs:
    """Mutable state: the run that goes on, what went on before it, whose tools keep the floor in
    it, and the mocks it has."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._run: RunResult[Any] | None = None
        self._before: set[object] = set()
        self._keeping: list[Agent] = []
        self._mocks: Mocks = {}

    @property
    def current(self) -> RunResult[Any] | None:
        """The run that goes on."""
        return self._run

    @property
    def mocks(self) -> Mocks:
        """Those that held where the run was asked for; all of it sees them."""
        return self._mocks if self._run is not None else {}

    @contextmanager
    def capturing(self, run: RunResult[Any]) -> Generator[None, None, None]:
        """What happens inside is the beginning of `run`."""
        if self._run is not None:
            raise UsageError("a run is going on in this session: await it before the next one")
        talk = self._conversation
        self._run, self._mocks = run, mocked_here()
        self._before = {*talk.speaking.unfinished(), *talk.seats.entering()}
        for handle in talk.speaking.suspended():
            self.watch(handle)
        try:
            yield
        except BaseException:
            self._run = None
            raise
        self._scope.start("run", self._follow(run))

    def watch(self, handle: SpeechHandle) -> None:
        """A speech begins, or goes on, in the run that goes on."""
        if self._run is not None:
            handle.watch(partial(self._run.added, handle))
            handle.add_done_callback(self._run.ended)

    def handed_over(self, item: llm.AgentHandoff, old: Agent | None, new: Agent) -> None:
        if self._run is not None:
            self._run.handed_over(AgentHandoffEvent(item, old, new))

    @contextmanager
    def kept(self, run: RunResult[Any] | None, agent: Agent) -> Generator[None, None, None]:
        """A tool of `agent`, called in `run`, keeps the floor: the run waits for what it does."""
        if run is None or run is not self._run:
            yield
            return
        self._keeping.append(agent)
        try:
            yield
        finally:
            self._keeping.remove(agent)
            self._conversation.stir()

    async def _follow(self, run: RunResult[Any]) -> None:
        """End the run when nothing more can come of it."""
        talk = self._conversation
        await asyncio.sleep(0)
        while self._run is run:
            if not self._goes_on():
                if (told := run.again()) is None:
                    self._end(None)
                    return
                talk.session.generate_reply(instructions=told)
            await talk.moved()
            await asyncio.sleep(0)  # what follows from it is in line before it is looked for

    def _goes_on(self) -> bool:
        talk = self._conversation
        going = {*talk.speaking.unfinished(), *talk.seats.entering()} - self._before
        keeping = [agent for agent in self._keeping if not talk.seats.below(agent)]
        working = [  # the speech that it is of may have been interrupted
            running
            for running in talk.tools.running
            if not (running.handle in self._before or running.reports)
            if not talk.seats.below(running.agent)
        ]
        if going or keeping or working:
            return True
        return talk.answers.busy or talk.seats.rising or talk.tools.due

    def _end(self, error: Exception | None) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.finish(error)

    def close(self) -> None:
        """The session closes, perhaps in the instant in which the run is over."""
        if self._run is not None:
            early = SessionClosed("the session closed before the run was over")
            self._end(early if self._goes_on() else None)


class Session(Protocol):
    """What they need of it."""

    @property
    def conversation(self) -> Conversation: ...

    async def aclose(self) -> None: ...


class RunsOfSession:
    """What a session offers to tests: `run`, and `async with`, which closes it."""

    def run(
        self: Session,
        *,
        user_input: str,
        input_modality: Literal["text", "audio"] = "text",
        output_type: type[T] | None = None,
        output_options: NotGivenOr[RunOutputOptions | None] = NOT_GIVEN,
    ) -> RunResult[T]:
        """Have the user say `user_input`; await the result until all that comes of it is over.

        With `output_type`, an `AgentTask` must be completed with such a result; the model is asked
        again for it, `output_options["max_retries"]` times. UsageError while another run goes on.
        """
        run = RunResult(
            user_input=user_input, output_type=output_type, output_options=output_options
        )
        talk = self.conversation
        with talk.speaking.runs.capturing(run):
            talk.session.generate_reply(user_input=user_input, input_modality=input_modality)
        return run

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self: Session,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
