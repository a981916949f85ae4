"""What became of a tool call: its output for the model, and the agent it hands over to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon.agent import Agent

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERRUPTED: Final = "The user interrupted before this tool was run; it was not run."
NO_HANDOFF: Final = "the agent handoff was interrupted and did not happen"
TWO_AGENTS: Final = "the agent handoff did not happen: more than one agent was returned"


@dataclass(slots=True, eq=False)
class Outcome:
    """One call and its answer. `agent`: whom the tool hands over to.

    `choice`: what the reply to it may call ("none" where the answer is only a report).
    """

    call: llm.FunctionCall
    output: llm.FunctionCallOutput
    agent: Agent | None = None
    choice: llm.ToolChoice | None = None


def outcome_of(call: llm.FunctionCall, result: object) -> Outcome:
    """The answer that a tool's result (or the exception it raised) comes to.

    LiveKit's rules: a ToolError's text is for the model, other errors are not; StopResponse, None
    and a bare handoff ask for no reply.
    """
    if isinstance(result, BaseException):
        return Outcome(call, _output(call, None, result))
    agents, result = _split(result)
    if len(agents) > 1:
        return refused(call, "the tool returned more than one agent")
    output = _output(call, result, None)
    if not isinstance(result, llm.ToolResult):
        output.reply_required = result is not None
    return Outcome(call, output, agents[0] if agents else None)


def refused(call: llm.FunctionCall, why: str, *, reply: bool = True) -> Outcome:
    """The answer to a call that did not run."""
    output = _output(call, None, llm.ToolError(why))
    output.reply_required = reply
    return Outcome(call, output)


def failed_handoff(outcome: Outcome, why: str) -> None:
    """The handoff that a tool asked for does not happen, and the model is told."""
    outcome.agent = None
    outcome.output.output, outcome.output.is_error = why, True


def tool_choice(outcomes: Iterable[Outcome]) -> llm.ToolChoice | None:
    """What the reply to all of them may call: what they agree on, else anything."""
    asked = [outcome.choice for outcome in outcomes if outcome.output.reply_required]
    return asked[0] if asked and all(choice == asked[0] for choice in asked) else None


def _split(result: object) -> tuple[list[Agent], Any]:
    """The agents in a tool's result, and what else there is."""
    if isinstance(result, Agent):
        return [result], None
    if not isinstance(result, list | set | frozenset | tuple):
        return [], result
    agents = [item for item in result if isinstance(item, Agent)]
    if not agents:
        return [], list(result)
    rest = [item for item in result if not isinstance(item, Agent)]
    return agents, None if not rest else rest[0] if len(rest) == 1 else rest


def _output(
    call: llm.FunctionCall, result: object, error: BaseException | None
) -> llm.FunctionCallOutput:
    made = llm.utils.make_function_call_output(fnc_call=call, output=result, exception=error)
    return made.fnc_call_out
