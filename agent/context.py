"""`RunContext`: what a tool knows of the call it answers, and what it may do to the speech."""

from __future__ import annotations

from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit.agents import RunContext as LiveKitRunContext
from livekit.agents.llm import ToolError
from typing_extensions import TypeVar

from antiphon.fillers import Filler
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from livekit.agents import llm
    from livekit.agents.voice.tool_executor import UpdatePromptArgs

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.fillers import Source
    from antiphon.running import Running
    from antiphon.session import AgentSession
    from antiphon.speech import SpeechHandle

Userdata_T = TypeVar("Userdata_T", default=Any)

CALL: ContextVar[RunContext[Any] | None] = ContextVar("antiphon.call", default=None)
"""The tool call in which this code runs."""


INSIDE: ContextVar[Inside | None] = ContextVar("antiphon.inside", default=None)
"""The tool or hook in which this code runs."""


class GivenUp(ToolError):
    """Raised where an `AgentTask` is awaited that ends without a result."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Code of an agent's that the session runs.

    `entering`: its `on_enter`. `written`: the user's words that are in history already. `seat`: an
    `AgentTask` may be awaited here.
    """

    conversation: Conversation
    agent: Agent
    entering: bool = False
    written: str | None = None
    seat: bool = True


class RunContext(LiveKitRunContext[Userdata_T]):
    """Given to a tool that has a parameter of this type.

    It derives from LiveKit's so that tool schemas leave the parameter out; nothing of LiveKit's is
    called, and its constructor is not run.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._run = running.conversation.speaking.runs.current

    @property
    def session(self) -> AgentSession[Userdata_T]:  # type: ignore[override]  # ours, not LiveKit's
        return self._running.session

    @property
    def speech_handle(self) -> SpeechHandle:  # type: ignore[override]  # ours, not LiveKit's
        """The speech whose model made the call; waiting for it here raises at once."""
        return self._running.handle

    @property
    def function_call(self) -> llm.FunctionCall:
        return self._running.call

    @property
    def userdata(self) -> Userdata_T:
        return self.session.userdata

    def disallow_interruptions(self) -> None:
        """Forbid that the user ends this speech; one that is paused goes on.

        RuntimeError when it is interrupted already.
        """
        self.speech_handle.allow_interruptions = False

    async def wait_for_playout(self) -> None:
        """Wait until what was said before this call has been heard, or was cut."""
        await self._running.step.heard_out()

    async def update(
        self,
        message: object,
        *,
        template: str | Callable[[UpdatePromptArgs], str] | None = None,
        silent: bool = False,
    ) -> None:
        """Tell the model how far this tool is; from the first time on it runs in the background.

        The first update answers the call. Later ones, and the result, are in history at once and
        are spoken of together when nobody speaks; `silent` ones only when something else is.
        A `str` is put into `template` (see `antiphon.templates`).
        """
        await self._running.report(message, template, silent=silent)

    @asynccontextmanager
    async def foreground(self) -> AsyncGenerator[Agent, None]:  # type: ignore[override]  # ours
        """Wait until nobody speaks, then keep the reports of other tools waiting; gives the agent
        in charge. What this tool has reported before is told first."""
        running, runs = self._running, self._running.conversation.speaking.runs
        with runs.kept(self._run, running.agent):
            await running.owner.told(running)
            async with running.conversation.idle.hold(running.agent) as agent:
                yield agent

    @asynccontextmanager
    async def with_filler(
        self,
        source: Source,
        *,
        delay: float = 0.0,
        interval: float | None = None,
        max_steps: int | None = None,
    ) -> AsyncGenerator[None, None]:
        """Say something when it has been quiet for `delay` seconds while this is open.

        `source` is the text, or a function of the number of times it has spoken that gives a text,
        a SpeechHandle, or None for nothing this time. With `interval` (seconds) it speaks again, at
        most `max_steps` times.
        """
        filler = Filler(self._running, source, delay, interval, max_steps)
        async with Scope("filler", self._running.conversation.strays) as scope:
            scope.start("filler", filler.run())
            yield
