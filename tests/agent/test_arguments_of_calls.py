"""What a running session is asked for is checked at once, and nothing is begun for it."""

from __future__ import annotations

from typing import Any

import livekit.agents
import pytest

from antiphon import Agent, AgentSession, UsageError, function_tool
from antiphon.options import DEFAULTS


def session(**arguments: Any) -> AgentSession[Any]:
    return AgentSession(**{"vad": None, **arguments})


def agent(**arguments: Any) -> Agent:
    return Agent(**{"instructions": "", **arguments})


@function_tool
async def weather(city: str) -> str:
    """Tell the weather."""
    return city


class Foreign(livekit.agents.Agent):
    """An agent of a program that was moved by half."""

    def __init__(self) -> None: ...


STARTED: list[tuple[Any, str]] = [
    (Agent, r"session\.start\(Agent\): that is the class; write Agent\(…\)"),
    (Foreign(), "is an agent of LiveKit's; write `from antiphon import Agent`"),
    ("You are Ada.", r"session\.start\('You are Ada\.'\): write an Agent"),
]


@pytest.mark.parametrize(("given", "message"), STARTED)
async def test_only_an_agent_can_be_started(given: Any, message: str) -> None:
    one = session()
    with pytest.raises(UsageError, match=message):
        await one.start(given)
    await one.start(agent())  # what was refused has left nothing behind
    with pytest.raises(UsageError, match="update_agent"):
        one.update_agent(given)
    await one.aclose()


async def test_an_agent_is_in_one_session_at_a_time() -> None:
    one, other, busy = session(), session(), agent()
    await one.start(busy)
    with pytest.raises(UsageError, match="running in another session"):
        await other.start(busy)
    await other.start(agent())
    with pytest.raises(UsageError, match="running in another session"):
        other.update_agent(busy)
    await one.aclose()
    await other.aclose()


SAID: list[tuple[Any, str]] = [
    (None, r"say\(None\): write a str or an async iterable"),
    (123, r"say\(123\): write a str"),
    (b"Hello.", r"\.decode\(\) it"),
    (["Hello."], "an async iterable"),
    (iter(["Hello."]), "an async iterable"),
]


@pytest.mark.parametrize(("text", "message"), SAID)
async def test_what_cannot_be_said_is_refused_at_once(text: Any, message: str) -> None:
    one = session()
    await one.start(agent())
    with pytest.raises(UsageError, match=message):
        one.say(text)
    assert one.current_speech is None
    await one.aclose()


REPLIES: list[tuple[dict[str, Any], str]] = [
    ({"user_input": 3}, "user_input=3: write a str or a ChatMessage"),
    ({"instructions": 3}, "instructions=3: write a str"),
    ({"chat_ctx": []}, "write a ChatContext"),
    ({"tools": "weather"}, "write a list of str"),
    ({"tools": ["wether"]}, "did you mean 'weather'?"),
]


@pytest.mark.parametrize(("arguments", "message"), REPLIES)
async def test_what_a_reply_cannot_be_made_of_is_refused_at_once(
    arguments: dict[str, Any], message: str
) -> None:
    one = session(tools=[weather])
    await one.start(agent())
    with pytest.raises(UsageError, match=message):
        one.generate_reply(**arguments)
    assert [item for item in one.history.items if item.type == "message"] == []
    await one.aclose()


async def test_ready_audio_that_is_none_is_refused() -> None:
    one = session()
    await one.start(agent())
    with pytest.raises(UsageError, match=r"write an async iterable of rtc\.AudioFrame"):
        one.say("Hello.", audio=b"\0\0")  # type: ignore[arg-type]
    await one.aclose()


def test_an_event_that_no_session_reports_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'user_state_changed'"):
        session().on("user_stat_changed", print)  # type: ignore[arg-type]


def test_updated_options_are_checked_and_kept() -> None:
    one: Any = session()
    for arguments, message in (
        ({"endpointing_opts": {"min_delay": -1}}, "write seconds"),
        ({"endpointing_opts": {"delay": 1}}, "did you mean"),
        ({"turn_detection": "never"}, "write 'stt' or 'vad'"),
        ({"keyterms": "Acme"}, "write a list of str"),
        ({"expressive": 3}, "write a dictionary"),
    ):
        with pytest.raises(UsageError, match=message):
            one.update_options(**arguments)
    one.update_options(endpointing_opts={"min_delay": 0.2}, turn_detection="manual", keyterms=["A"])
    assert one.options.endpointing == {**DEFAULTS["endpointing"], "min_delay": 0.2}
    assert one.options.endpointing_overrides == {"min_delay": 0.2}
    assert one.turn_detection == "manual"
    assert one.keyterms == ["A"]


async def test_what_is_to_be_recorded_is_shown_once_it_has_started() -> None:
    one = session()
    assert one.options.recording_options["audio"] is False
    with pytest.raises(UsageError, match="did you mean 'audio'"):
        await one.start(agent(), record={"audi": True})  # type: ignore[call-overload]
    await one.start(agent(), record={"audio": False})
    assert one.options.recording_options["audio"] is False
    assert one.options.recording_options["traces"] is True
    await one.aclose()
