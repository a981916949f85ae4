"""What LiveKit's options can say and this runtime does not do yet: said when it is asked for.

A program that asks for one of these runs on; what it will not get is logged, once each session.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from antiphon.arguments import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from antiphon.agent import Agent
    from antiphon.options import Options
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.session")


class Unbuilt:
    """Mutable state: what the session was told of."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, session: AgentSession[Any], agent: Agent, options: Options) -> None:
        """Log what these ask for and will not get."""
        for message in _asked_for(session, agent, options):
            if message not in self._told:
                self._told.add(message)
                logger.warning("not built yet: %s", message)


def _asked_for(session: AgentSession[Any], agent: Agent, options: Options) -> Iterator[str]:
    if said(agent.expressive, session.expressive):
        yield "expressive=; the model is not told how to steer the voice"
