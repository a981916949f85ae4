"""What is asked for and not built is said; nothing is taken and silently left undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, AgentSession

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("expressive", {"expressive": True}),
]


async def warnings(
    caplog: pytest.LogCaptureFixture, begin: Callable[[AgentSession[Any]], None], **options: Any
) -> list[str]:
    """What a session with these options says when it starts and when another agent takes over."""
    caplog.clear()
    session: AgentSession[Any] = AgentSession(vad=None, **options)
    begin(session)
    await session.start(Agent(instructions=""))
    session.update_options()
    await session.aclose()
    found = [record.getMessage() for record in caplog.records]
    return [message for message in found if message.startswith("not built yet")]


def nothing(session: AgentSession[Any]) -> None:
    """It begins as it is."""


@pytest.mark.parametrize(("name", "options"), ASKED)
async def test_an_option_that_does_nothing_yet_is_said_once(
    caplog: pytest.LogCaptureFixture, name: str, options: dict[str, Any]
) -> None:
    [message] = await warnings(caplog, nothing, **options)
    assert name in message


async def test_a_session_that_asks_for_nothing_of_the_kind_is_told_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await warnings(caplog, nothing) == []
