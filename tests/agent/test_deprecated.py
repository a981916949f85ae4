"""Names that LiveKit has given up still work, and the warning says what to write and where."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import NOT_GIVEN

from antiphon import Agent, AgentSession, UsageError, llm, room_io

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD: list[tuple[str, object, str, object]] = [
    ("turn_detection", "manual", "turn_detection", "manual"),
    ("min_endpointing_delay", 0.4, "endpointing.min_delay", 0.4),
    ("max_endpointing_delay", 4.0, "endpointing.max_delay", 4.0),
    ("allow_interruptions", False, "interruption.enabled", False),
    ("discard_audio_if_uninterruptible", True, "interruption.discard_audio_if_uninterruptible", 1),
    ("min_interruption_duration", 0.7, "interruption.min_duration", 0.7),
    ("min_interruption_words", 2, "interruption.min_words", 2),
    ("resume_false_interruption", False, "interruption.resume_false_interruption", False),
    ("false_interruption_timeout", None, "interruption.false_interruption_timeout", None),
    ("agent_false_interruption_timeout", 3.0, "interruption.false_interruption_timeout", 3.0),
    ("preemptive_generation", False, "preemptive_generation.enabled", False),
    ("preemptive_generation", {"max_retries": 1}, "preemptive_generation.max_retries", 1),
]
OF_AGENTS = {
    "turn_detection",
    "min_endpointing_delay",
    "max_endpointing_delay",
    "allow_interruptions",
}


@pytest.fixture
def warned() -> Iterator[list[warnings.WarningMessage]]:
    """The warnings of a test, which end it nowhere else but here."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield seen


def value(options: Any, place: str) -> object:
    for key in place.split("."):
        options = options[key]
    return options


@pytest.mark.parametrize(("name", "given", "place", "found"), OLD)
def test_an_old_name_of_a_session_is_put_where_its_meaning_is_now(
    warned: list[warnings.WarningMessage], name: str, given: Any, place: str, found: object
) -> None:
    old: dict[str, Any] = {name: given}
    session = AgentSession(vad=None, **old)
    assert value(session.options.turn_handling, place) == found
    (warning,) = warned
    assert warning.category is DeprecationWarning
    assert str(warning.message).startswith(f"{name}= is deprecated: write turn_handling=")
    assert all(f"'{key}'" in str(warning.message) for key in place.split("."))
    assert warning.filename == __file__


@pytest.mark.parametrize(("name", "given", "place", "found"), [o for o in OLD if o[0] in OF_AGENTS])
def test_an_old_name_of_an_agent_is_put_where_its_meaning_is_now(
    warned: list[warnings.WarningMessage], name: str, given: Any, place: str, found: object
) -> None:
    class Mine(Agent):
        def __init__(self) -> None:
            old: dict[str, Any] = {name: given}
            super().__init__(instructions="", **old)

    agent = Mine()
    assert value(agent._turn_handling, place) == found
    assert [(w.category, w.filename) for w in warned] == [(DeprecationWarning, __file__)]


def test_what_an_agent_once_showed_by_itself_is_still_shown(
    warned: list[warnings.WarningMessage],
) -> None:
    agent = Agent(instructions="", allow_interruptions=False, min_endpointing_delay=0.4)
    assert agent.allow_interruptions is False
    assert agent.min_endpointing_delay == 0.4
    assert agent.max_endpointing_delay is NOT_GIVEN
    assert agent.turn_detection is NOT_GIVEN
    assert len(warned) == 2


def test_the_warning_shows_what_to_write_word_for_word(
    warned: list[warnings.WarningMessage],
) -> None:
    AgentSession(vad=None, min_endpointing_delay=0.4)
    (warning,) = warned
    assert str(warning.message) == (
        "min_endpointing_delay= is deprecated: "
        "write turn_handling={'endpointing': {'min_delay': 0.4}}"
    )


def test_old_and_new_names_of_different_things_hold_together(
    warned: list[warnings.WarningMessage],
) -> None:
    turns: Any = {"endpointing": {"max_delay": 5.0}, "interruption": {"min_words": 2}}
    session = AgentSession(vad=None, turn_handling=turns, min_endpointing_delay=0.4)
    assert session.options.endpointing["min_delay"] == 0.4
    assert session.options.endpointing["max_delay"] == 5.0
    assert session.options.interruption["min_words"] == 2
    assert "min_delay" not in turns["endpointing"]
    assert len(warned) == 1


BOTH: list[tuple[dict[str, Any], str]] = [
    (
        {"min_endpointing_delay": 0.4, "turn_handling": {"endpointing": {"min_delay": 0.3}}},
        r"turn_handling\['endpointing'\]\['min_delay'\] mean the same thing: "
        r"drop min_endpointing_delay=",
    ),
    (
        {"turn_detection": "vad", "turn_handling": {"turn_detection": "stt"}},
        "drop turn_detection=",
    ),
    (
        {"false_interruption_timeout": 1.0, "agent_false_interruption_timeout": 2.0},
        "drop agent_false_interruption_timeout=",
    ),
    (
        {"preemptive_generation": True, "turn_handling": {"preemptive_generation": {}}},
        "drop preemptive_generation=",
    ),
    (
        {"keyterms_options": {"keyterms": ["a"]}, "stt_context_options": {"keyterms": ["b"]}},
        "drop keyterms_options=",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BOTH)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_name_beside_the_new_one_is_an_error_that_says_which_to_drop(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        AgentSession(vad=None, **arguments)


def test_an_old_name_that_is_left_out_says_nothing() -> None:
    session = AgentSession(vad=None, min_endpointing_delay=NOT_GIVEN, turn_detection=NOT_GIVEN)
    assert session.options.endpointing["min_delay"] == 0.5


def test_keyterms_options_are_the_recognisers_context(
    warned: list[warnings.WarningMessage],
) -> None:
    session = AgentSession(vad=None, keyterms_options={"keyterms": ["Acme"]})
    assert session.keyterms == ["Acme"]
    assert session.options.stt_context_options["forward_chat_context"] is True
    assert "write stt_context_options={'keyterms': ['Acme']}" in str(warned[0].message)


def test_servers_named_by_themselves_are_kept_and_told_of(
    warned: list[warnings.WarningMessage],
) -> None:
    from antiphon import mcp

    server = mcp.MCPServerHTTP("http://127.0.0.1:1/mcp")
    assert AgentSession(vad=None, mcp_servers=[server]).mcp_servers == [server]
    assert Agent(instructions="", mcp_servers=[server]).mcp_servers == [server]
    assert Agent(instructions="", mcp_servers=[]).mcp_servers is None
    assert all("write tools=[mcp.MCPToolset(" in str(w.message) for w in warned)
    assert len(warned) == 3


async def test_the_halves_of_room_options_are_named(
    warned: list[warnings.WarningMessage],
) -> None:
    session = AgentSession(vad=None)
    await session.start(Agent(instructions=""), room_input_options=room_io.RoomInputOptions())
    await session.aclose()
    assert [str(w.message) for w in warned] == [
        "room_input_options= is deprecated: write room_options=room_io.RoomOptions(…)"
    ]
    with pytest.raises(UsageError, match="drop room_output_options="):
        await AgentSession(vad=None).start(
            Agent(instructions=""),
            room_options=room_io.RoomOptions(),
            room_output_options=room_io.RoomOutputOptions(),
        )


def test_update_options_takes_its_old_names(warned: list[warnings.WarningMessage]) -> None:
    session = AgentSession(vad=None)
    session.update_options(min_endpointing_delay=0.2)
    assert session.options.endpointing["min_delay"] == 0.2
    assert "write endpointing_opts={'min_delay': 0.2}" in str(warned[0].message)
    with pytest.raises(UsageError, match="drop max_endpointing_delay="):
        session.update_options(endpointing_opts={"max_delay": 1.0}, max_endpointing_delay=2.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda **old: AgentSession(vad=None, **old), "AgentSession has no argument"),
        (lambda **old: Agent(instructions="", **old), "Agent has no argument"),
    ],
)
def test_a_name_that_never_was_is_refused_with_the_nearest(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"{message} 'turn_handlin'; did you mean 'turn_handling'"):
        make(turn_handlin={})
    with pytest.raises(TypeError, match="did you mean 'min_endpointing_delay'"):
        make(min_endpoint_delay=1.0)


def test_the_context_of_another_agent_leaves_out_calls_of_tools_this_one_has_not() -> None:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="Hello.")
    context.insert(llm.FunctionCall(call_id="1", name="lookup", arguments="{}"))
    context.insert(llm.FunctionCallOutput(call_id="1", name="lookup", output="", is_error=False))
    agent = Agent(instructions="", chat_ctx=context)
    assert [item.type for item in agent.chat_ctx.items] == ["message"]
