"""`RunContext`: what a tool knows of the call it answers, and what it may do to the speech."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit.agents import RunContext as LiveKitRunContext
from livekit.agents.llm import ToolError
from typing_extensions import TypeVar

if TYPE_CHECKING:
    from livekit.agents import llm

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.session import AgentSession
    from antiphon.speech import SpeechHandle
    from antiphon.tools import Running

Userdata_T = TypeVar("Userdata_T", default=Any)

CALL: ContextVar[RunContext[Any] | None] = ContextVar("antiphon.call", default=None)
"""The tool call in which this code runs."""


INSIDE: ContextVar[Inside | None] = ContextVar("antiphon.inside", default=None)
"""Where an `AgentTask` may be awaited: the tool or hook in which this code runs."""


class GivenUp(ToolError):
    """Raised where an `AgentTask` is awaited that ends without a result."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Code of an agent's that the session runs.

    `entering`: its `on_enter`. `written`: the user's words that are in history already.
    """

    conversation: Conversation
    agent: Agent
    entering: bool = False
    written: str | None = None


class RunContext(LiveKitRunContext[Userdata_T]):
    """Given to a tool that has a parameter of this type.

    It derives from LiveKit's so that tool schemas leave the parameter out; nothing of LiveKit's is
    called, and its constructor is not run.
    """

    def __init__(self, running: Running) -> None:
        self._running = running

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
        """Forbid that the user ends this speech; RuntimeError when it is interrupted already."""
        self.speech_handle.allow_interruptions = False

    async def wait_for_playout(self) -> None:
        """Wait until what was said before this call has been heard, or was cut."""
        await self._running.step.heard_out()
