"""The same small agents, run by LiveKit's session and by ours: the same events, in the same order.

LiveKit's runs in real time, with a model that takes none; ours on the virtual clock.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from livekit import agents as livekit

import antiphon
from antiphon.pipeline import clock
from antiphon.simulate import Calls, ScriptedLLM, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# Programs are written for both packages: `kit` is the one they are to import from.
Kit = Any
Program = "tuple[Callable[[Kit], Any], list[str | Calls], list[Say]]"


class Say:
    """One turn: what the user says, and what the result is to be."""

    def __init__(self, text: str | None, **options: Any) -> None:
        self.text = text  # None: it is the beginning that is captured
        self.options = options


def told(result: Any) -> list[str]:
    """A run in short."""
    lines = []
    for event in result.events:
        if event.type == "message":
            cut = " (interrupted)" if event.item.interrupted else ""
            lines.append(f"{event.item.role}: {event.item.text_content.strip()}{cut}")
        elif event.type == "function_call":
            lines.append(f"call {event.item.name} {event.item.arguments}")
        elif event.type == "function_call_output":
            lines.append(f"output {event.item.output!r} error={event.item.is_error}")
        else:
            old = event.old_agent and type(event.old_agent).__name__
            lines.append(f"handoff {old} to {type(event.new_agent).__name__}")
    return lines


async def outcome(result: Any, lines: list[str]) -> None:
    try:
        run = await result
        lines += told(run)
        try:
            lines.append(f"gave {run.final_output!r}")
        except RuntimeError:
            lines.append("gave nothing")
    except Exception as error:
        kinds = livekit.UnexpectedModelBehavior | livekit.ToolError
        lines += told(result) if hasattr(result, "events") else []
        lines.append(f"raised {type(error).__name__ if isinstance(error, kinds) else error}")


def steps(kit: Kit, name: str, program: Any) -> Coroutine[Any, Any, list[str]]:
    """Run one program; what came of it, turn by turn."""
    agent, replies, turns = program

    async def whole() -> list[str]:
        model = ScriptedLLM(replies, first_token=0.0, tokens_per_second=float("inf"))
        lines: list[str] = []
        async with kit.AgentSession(llm=model, vad=None) as session:
            first, *rest = turns
            if first.text is None:
                await outcome(session.start(agent(kit), capture_run=True), lines)
            else:
                rest = turns
                await session.start(agent(kit))
            for turn in rest:
                lines.append(f"user: {turn.text}")
                await outcome(session.run(user_input=turn.text, **turn.options), lines)
        return lines

    return whole()


# The programs.


def waiter(kit: Kit, **tools: Any) -> Any:
    """An agent with these tools."""
    made = [kit.function_tool(tool, name=name, description=name) for name, tool in tools.items()]
    return type("Waiter", (kit.Agent,), {})(instructions="Serve.", tools=made)


def plain(kit: Kit) -> Any:
    return waiter(kit)


def one_tool(kit: Kit) -> Any:
    async def price(dish: str) -> str:
        return f"{dish} is 12"

    return waiter(kit, price=price)


def failing(kit: Kit) -> Any:
    async def price() -> str:
        raise kit.ToolError("no soup left")

    async def breaks() -> str:
        raise ZeroDivisionError("secret")

    return waiter(kit, price=price, breaks=breaks)


def stopping(kit: Kit) -> Any:
    async def leave() -> str:
        raise kit.StopResponse

    return waiter(kit, leave=leave)


def greeted(kit: Kit, *, asks: bool = False, name: str = "Manager") -> Any:
    """The class of an agent that greets."""

    async def on_enter(self: Any) -> None:
        if asks:
            await self.session.generate_reply(instructions="Greet.")
        else:
            await self.session.say("The manager here.")

    return type(name, (kit.Agent,), {"on_enter": on_enter})


def handing_over(kit: Kit) -> Any:
    async def manager() -> Any:
        return greeted(kit)(instructions="Manage.")

    return waiter(kit, manager=manager)


def handing_over_with_words(kit: Kit) -> Any:
    async def manager() -> Any:
        return greeted(kit, asks=True)(instructions="Manage."), "fetching"

    return waiter(kit, manager=manager)


def silent_handover(kit: Kit) -> Any:
    async def manager() -> Any:
        return type("Manager", (kit.Agent,), {})(instructions="Manage.")

    return waiter(kit, manager=manager)


def task_of(kit: Kit, result: Any, *, asks: bool = False) -> Any:
    """An `AgentTask` that asks for a name, and is done when its tool is called."""

    class GetName(kit.AgentTask):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            named = kit.function_tool(self.named, name="named", description="Take the name.")
            super().__init__(instructions="Ask.", tools=[named])

        async def on_enter(self) -> None:
            if asks:
                await self.session.generate_reply(instructions="Ask for the name.")
            else:
                await self.session.say("What is your name?")

        async def named(self, name: str) -> None:
            self.complete(result or name)

    return GetName


def task_in_a_tool(kit: Kit, *, asks: bool = False) -> Any:
    async def book() -> str:
        return "booked for " + await task_of(kit, None, asks=asks)()

    return waiter(kit, book=book)


def task_that_asks_its_model(kit: Kit) -> Any:
    return task_in_a_tool(kit, asks=True)


def task_that_fails(kit: Kit) -> Any:
    async def book() -> str:
        return "booked for " + await task_of(kit, kit.ToolError("gave no name"))()

    return waiter(kit, book=book)


def task_at_the_beginning(kit: Kit) -> Any:
    async def on_enter(self: Any) -> None:
        name = await task_of(kit, None)()
        await self.session.say(f"Welcome, {name}.")

    return type("Waiter", (kit.Agent,), {"on_enter": on_enter})(instructions="Serve.")


def task_alone(kit: Kit) -> Any:
    return task_of(kit, None)()


def task_alone_fails(kit: Kit) -> Any:
    return task_of(kit, kit.ToolError("gave no name"))()


NAMED = calls("named", name="Ada")
HELLO, SOUP, NAME = Say("Hello"), Say("How much is the soup?"), Say("Ada")
BEGIN = Say(None)
THREE_TIMES = [Say("Ada", output_type=str)]
ONCE = [Say("Ada", output_type=str, output_options={"max_retries": 1})]
NEVER = [Say("Ada", output_type=str, output_options=None)]
NUMBER = [Say("Ada", output_type=int)]

PROGRAMS: dict[str, Any] = {
    "a plain reply": (plain, ["Good evening."], [HELLO]),
    "two turns": (plain, ["Good evening.", "Goodbye."], [HELLO, Say("Bye")]),
    "nothing said at the beginning": (plain, ["Good evening."], [BEGIN, HELLO]),
    "a tool": (one_tool, [calls("price", dish="soup"), "It is 12."], [SOUP]),
    "words and a tool": (
        one_tool,
        [Calls("Let me see.").and_calls("price", dish="soup"), "It is 12."],
        [SOUP],
    ),
    "two tools": (
        one_tool,
        [calls("price", dish="soup").and_calls("price", dish="pie"), "They are 12."],
        [SOUP],
    ),
    "two rounds of tools": (
        one_tool,
        [calls("price", dish="soup"), calls("price", dish="pie"), "They are 12."],
        [SOUP],
    ),
    "a tool's error": (failing, [calls("price"), "There is none."], [SOUP]),
    "a broken tool": (failing, [calls("breaks"), "Something went wrong."], [SOUP]),
    "a tool that is not there": (one_tool, [calls("prize"), "Sorry."], [SOUP]),
    "wrong arguments": (one_tool, [calls("price", fish=1), "Sorry."], [SOUP]),
    "no answer wanted": (stopping, [Calls("Bye.").and_calls("leave")], [HELLO]),
    "a handoff": (handing_over, [calls("manager"), "Yes?"], [HELLO, Say("You there?")]),
    "a handoff to one who is silent": (silent_handover, [calls("manager"), "Yes?"], [HELLO, SOUP]),
    "a handoff with a result": (
        handing_over_with_words,
        [calls("manager"), "One moment.", "The manager here."],
        [HELLO],
    ),
    "a greeting": (lambda kit: greeted(kit)(instructions="Greet."), ["Yes."], [BEGIN, HELLO]),
    "a greeting by the model": (
        lambda kit: greeted(kit, asks=True)(instructions="Greet."),
        ["Welcome.", "Yes."],
        [BEGIN, HELLO],
    ),
    "a greeting that is not captured": (
        lambda kit: greeted(kit)(instructions="Greet."),
        ["Yes."],
        [HELLO],
    ),
    "a task in a tool": (task_in_a_tool, [calls("book"), NAMED, "Booked."], [HELLO, NAME]),
    "words before a task": (
        task_in_a_tool,
        [Calls("Sure.").and_calls("book"), "Pardon?", NAMED, "Booked."],
        [HELLO, Say("What?"), NAME],
    ),
    "a task that asks its model": (
        task_that_asks_its_model,
        [calls("book"), "Your name?", NAMED, "Booked."],
        [HELLO, NAME],
    ),
    "a task that fails in a tool": (
        task_that_fails,
        [calls("book"), NAMED, "Sorry."],
        [HELLO, NAME],
    ),
    "a task at the beginning": (task_at_the_beginning, [NAMED], [BEGIN, NAME]),
    "a task alone": (task_alone, [NAMED], [BEGIN, Say("Ada", output_type=str)]),
    "a task alone that fails": (task_alone_fails, [NAMED], [BEGIN, NAME]),
    "an output of another type": (task_alone, [NAMED], [BEGIN, *NUMBER]),
    "an output after asking again": (task_alone, ["Hm.", "Hm.", NAMED], [BEGIN, *THREE_TIMES]),
    "no output though asked again": (task_alone, ["Hm.", "Hm."], [BEGIN, *ONCE]),
    "no output and nobody asks again": (task_alone, ["Hm."], [BEGIN, *NEVER]),
    "no output from an agent": (plain, ["Hm.", "Hm.", "Hm."], THREE_TIMES),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_gives_what_it_gives_in_livekit(name: str) -> None:
    theirs = asyncio.run(steps(livekit, name, PROGRAMS[name]))
    ours = clock.run(steps(antiphon, name, PROGRAMS[name]), strict=True)
    assert ours == theirs
    assert len(theirs) > 1
