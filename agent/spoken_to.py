"""What an agent with a realtime model shows of it, for what its provider alone can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from livekit.agents import llm

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from antiphon.session import AgentSession


class Seated(Protocol):
    """What this needs of an agent."""

    @property
    def id(self) -> str: ...

    @property
    def session(self) -> AgentSession[Any]: ...


class SpokenTo:
    """The sessions of the models that hear and speak themselves."""

    @property
    def realtime_llm_session(self: Seated) -> llm.RealtimeSession[Any]:
        """The realtime model's session; UsageError while the agent, in charge, has none."""
        talk = self.session.conversation
        if talk.realtime.link is None or talk.agent is not self:
            raise UsageError(f"{self.id} has no session with a realtime model now")
        return talk.realtime.link.session

    @property
    def duplex_session(self: Seated) -> llm.DuplexSession[Any]:
        """A duplex model's own session; UsageError while the agent, in charge, has none."""
        link = self.session.conversation.realtime.link
        here = self.session.conversation.agent is self
        if link is None or not here or not isinstance(link.model, llm.DuplexRealtimeAdapter):
            raise UsageError(f"{self.id} has no session with a duplex model now")
        return cast("llm.DuplexSession[Any]", cast("Any", link.session).duplex_session)
