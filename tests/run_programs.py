"""Small agents for tests of runs, written for LiveKit's package and for ours.

`kit` is the package they are to import from: `livekit.agents` or `antiphon`. A program is a
function that makes the agent, what its model answers, and the turns.
"""

from __future__ import annotations

import asyncio
from typing import Any

from antiphon.simulate import Calls, calls

Kit = Any


class Say:
    """One turn: what the user says, and what the result is to be."""

    def __init__(self, text: str | None, **options: Any) -> None:
        self.text = text  # None: it is the beginning that is captured
        self.options = options


def waiter(kit: Kit, **tools: Any) -> Any:
    """An agent with these tools; they are given the kit's own context."""
    for tool in tools.values():
        if "context" in tool.__annotations__:
            tool.__annotations__["context"] = kit.RunContext
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

    class GetName(kit.AgentTask):  # type: ignore[misc]
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
    async def book() -> Any:
        return "booked for " + await task_of(kit, None, asks=asks)()

    return waiter(kit, book=book)


def task_that_asks_its_model(kit: Kit) -> Any:
    return task_in_a_tool(kit, asks=True)


def task_that_fails(kit: Kit) -> Any:
    async def book() -> Any:
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


def talking_tools(kit: Kit) -> Any:
    async def hold(context: kit.RunContext) -> str:
        await context.session.say("One moment.")
        context.session.generate_reply(instructions="Say something.")
        return "held"

    return waiter(kit, hold=hold)


def update_agent_in_a_tool(kit: Kit) -> Any:
    async def manager(context: kit.RunContext) -> str:
        context.session.update_agent(greeted(kit)(instructions="Manage."))
        return "coming"

    return waiter(kit, manager=manager)


def slow_to_enter(kit: Kit) -> Any:
    async def on_enter(self: Any) -> None:
        await asyncio.sleep(0.02)
        await self.session.say("There you are.")
        await asyncio.sleep(0.02)
        await self.session.say("Sit down.")

    late = type("Manager", (kit.Agent,), {"on_enter": on_enter})

    async def manager() -> Any:
        return late(instructions="Manage.")

    return waiter(kit, manager=manager)


def sent_on_at_the_door(kit: Kit) -> Any:
    async def on_enter(self: Any) -> None:
        self.session.update_agent(greeted(kit)(instructions="Manage."))

    door = type("Door", (kit.Agent,), {"on_enter": on_enter})

    async def manager() -> Any:
        return door(instructions="Send on.")

    return waiter(kit, manager=manager)


def reporting(kit: Kit) -> Any:
    async def book(context: kit.RunContext) -> str:
        await context.update("Looking.", template="{message}")
        return "booked"

    return waiter(kit, book=book)


def in_the_foreground(kit: Kit) -> Any:
    async def book(context: kit.RunContext) -> None:
        await context.update("Looking.", template="{message}")
        async with context.foreground():
            await asyncio.sleep(0.02)
            await context.session.say("It is booked.")

    return waiter(kit, book=book)


def in_the_background(kit: Kit) -> Any:
    async def book(context: kit.RunContext) -> None:
        await context.update("Looking.", template="{message}")
        await asyncio.sleep(0.2)

    return waiter(kit, book=book)


def two_tasks(kit: Kit) -> Any:
    async def book() -> Any:
        first = await task_of(kit, None)()
        return f"for {first} and {await task_of(kit, None)()}"

    return waiter(kit, book=book)


def task_in_a_task(kit: Kit) -> Any:
    async def on_enter(self: Any) -> None:
        self.complete("someone like " + await task_of(kit, None)())

    outer = type("Outer", (kit.AgentTask,), {"on_enter": on_enter})

    async def book() -> Any:
        return "booked for " + await outer(instructions="Ask.")

    return waiter(kit, book=book)


def task_before_leaving(kit: Kit) -> Any:
    async def on_exit(self: Any) -> None:
        name = await task_of(kit, None)()
        await self.session.say(f"Bye, {name}.")

    async def manager() -> Any:
        return greeted(kit)(instructions="Manage.")

    tool = kit.function_tool(manager, name="manager", description="Fetch.")
    kind = type("Waiter", (kit.Agent,), {"on_exit": on_exit})
    return kind(instructions="Serve.", tools=[tool])


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
    "a task whose first words are a call": (
        task_that_asks_its_model,
        [calls("book"), NAMED, "Booked."],
        [HELLO],
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
    "a tool that reports": (reporting, [calls("book"), "Moment.", "Booked."], [HELLO]),
    "a tool in the foreground": (in_the_foreground, [calls("book"), "Moment."], [HELLO]),
    "a tool in the background": (in_the_background, [calls("book"), "Moment."], [HELLO]),
    "a tool that talks": (talking_tools, [calls("hold"), "Held.", "Still here."], [HELLO]),
    "update_agent in a tool": (
        update_agent_in_a_tool,
        [calls("manager"), "One moment.", "Yes?"],
        [HELLO, NAME],
    ),
    "an agent that enters slowly": (slow_to_enter, [calls("manager"), "Yes?"], [HELLO, NAME]),
    "an agent that sends the user on": (sent_on_at_the_door, [calls("manager"), "Yes?"], [HELLO]),
    "two tasks in a tool": (two_tasks, [calls("book"), NAMED, NAMED, "Done."], [HELLO, NAME, NAME]),
    "a model that fails": (plain, [], [HELLO]),
    "a model that fails after a tool": (one_tool, [calls("price", dish="soup")], [SOUP]),
    "a model that fails at the beginning": (
        lambda kit: greeted(kit, asks=True)(instructions="Greet."),
        [],
        [BEGIN],
    ),
    "no output from an agent": (plain, ["Hm.", "Hm.", "Hm."], THREE_TIMES),
}
