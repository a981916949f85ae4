"""What a model is told: common instructions, those of the modality, and what changes by call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents.llm.chat_context import Instructions

from antiphon import RunContext, function_tool
from tests.scripted import Call, at, hold, sentence, user
from tests.scripted_tools import Caller, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from antiphon import Agent

ONE, TWO = sentence(0), sentence(10)


def told(call: Call) -> list[list[str]]:
    """The system messages of each request."""
    requests = call.agent.requests  # type: ignore[attr-defined]
    return [
        [m.text_content for m in request.context.messages() if m.role == "system"]
        for request in requests
    ]


def instructed(
    instructions: str | Instructions, *steps: Sequence[Any], tools: Sequence[Any] = ()
) -> Callable[[Call], Agent]:
    def make(call: Call) -> Agent:
        agent = Caller(call, steps, tools)
        agent._instructions = instructions
        return agent

    return make


BOTH = Instructions("Be kind.", audio="Be short.", text="Use lists.", dynamic="It is noon.")


def test_a_spoken_turn_is_told_what_is_for_speech_and_a_typed_one_what_is_for_text() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        at(6.0, lambda call: call.session.generate_reply(user_input="zeze")),
        agent=instructed(BOTH, [ONE], [TWO]),
    )
    assert told(call) == [
        ["Be kind.\n\nBe short.", "It is noon."],
        ["Be kind.\n\nUse lists.", "It is noon."],
    ]


def test_instructions_of_one_reply_are_added_to_it_alone() -> None:
    call = hold(
        at(0.2, lambda call: call.session.generate_reply(instructions="Greet.")),
        at(6.0, lambda call: call.session.generate_reply()),
        agent=instructed("Answer.", [ONE], [TWO]),
    )
    assert told(call) == [["Answer.", "Greet."], ["Answer."]]


def test_instructions_that_a_tool_changes_hold_for_the_answer_to_it() -> None:
    @function_tool
    async def change(context: RunContext[Any]) -> str:
        """Change."""
        await context.session.current_agent.update_instructions("Whisper.")
        return "done"

    call = hold(
        at(
            0.2, lambda call: call.session.generate_reply(instructions="Greet.", tool_choice="auto")
        ),
        agent=instructed("Answer.", [calls("change")], [TWO], tools=[change]),
    )
    assert told(call) == [["Answer.", "Greet."], ["Whisper.", "Greet."]]
