"""Hooks, tasks, handoffs and closing show a program what they show in LiveKit's session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import agents as livekit
from livekit.agents import llm

import antiphon
from antiphon.simulate import Calls, calls
from tests.agent.side_by_side import Case, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.side_by_side import Told

ONE = "One two three four five six seven eight nine ten."
REPLIES = {
    "hey": "You said hey.",
    "again": "You said that again.",
    "story": ONE,
    "book": Calls("Surely.").and_calls("book"),
    "book twice": calls("book_twice"),
    "Ada": calls("give", name="Ada"),
    "Bob": Calls("Thank you.").and_calls("give", name="Bob"),
    "nobody": calls("refuse"),
    "stay": calls("replace"),
    "quick": calls("quick", number="7"),
    "wrong": calls("quick", number="seven"),
    "more": calls("quick", number="7", colour="red"),
    "many": Calls("Both.").and_calls("quick", number="1").and_calls("quick", number="2"),
    "listed": calls("listed"),
    "silent": Calls("Done.").and_calls("silent"),
    "replaced": "I was replaced.",
    "booked for Ada": "It is booked, Ada.",
    "booked for Bob": "It is booked, Bob.",
    "['x', {'y': None}]": "It is a list.",
}


def hook(does: Callable[[Any, Any, Any, Any], Any]) -> Callable[[Any], Any]:
    """An agent whose hook does that with the kit, itself, the context and the message."""

    def made(kit: Any) -> Any:
        class Hooked(kit.Agent):  # type: ignore[misc]
            async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
                await does(kit, self, turn_ctx, new_message)

        return Hooked(instructions="Answer.")

    return made


async def thinks(kit: Any, agent: Any, context: Any, message: Any) -> None:
    await asyncio.sleep(1.0)


async def edits(kit: Any, agent: Any, context: Any, message: Any) -> None:
    message.content = ["again"]


async def speaks(kit: Any, agent: Any, context: Any, message: Any) -> None:
    await agent.session.say("One moment.")


def asking(kit: Any) -> Any:
    """A task that asks who it is for."""

    class Who(kit.AgentTask):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(instructions="Ask.")

        async def on_enter(self) -> None:
            self.session.say("Who is it for?")

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def give(self, name: str) -> None:
            """Give."""
            self.complete(name)

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def refuse(self) -> None:
            """Refuse."""
            self.complete(kit.ToolError("no name"))

    return Who


def booking(kit: Any) -> Any:
    """An agent that books, with a task that asks who for."""
    who = asking(kit)

    class Booking(kit.Agent):  # type: ignore[misc]
        @kit.function_tool  # type: ignore[untyped-decorator]
        async def book(self) -> str:
            """Book."""
            return f"booked for {await who()}"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def quick(self, number: int) -> str:
            """Quick."""
            return f"{number!r}"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def listed(self) -> list[Any]:
            """Listed."""
            return ["x", {"y": None}]

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def silent(self) -> Any:
            """Silent."""
            return llm.ToolResult("nothing to say", reply_required=False)

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def replace(self) -> str:
            """Replace."""
            self.session.update_agent(kit.Agent(instructions="Second."))
            return "replaced"

    return Booking(instructions="Answer.")


def leaving(kit: Any) -> Any:
    class Leaving(kit.Agent):  # type: ignore[misc]
        async def on_exit(self) -> None:
            await self.session.say("Goodbye.")

    return Leaving(instructions="Answer.")


async def closes(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(4.0)
    await session.aclose()
    with pytest.raises(RuntimeError):
        session.say("More.")
    with pytest.raises(RuntimeError):
        session.generate_reply(user_input="hey")


async def cancels_the_reply(kit: Any, session: Any, told: Told) -> None:
    session.on("function_tools_executed", lambda event: event.cancel_tool_reply())


async def generates(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    for choice in ("required", "none"):
        handle = session.generate_reply(user_input="quick", tool_choice=choice)
        await handle
        told.note(f"{choice} {handle.num_steps} {[item.type for item in handle.chat_items]}")


async def interrupts_the_second(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    first, second = session.say(ONE), session.say("Two.")
    await asyncio.sleep(0.5)
    second.interrupt()
    await first
    told.note(f"{first.interrupted} {second.interrupted} {len(second.chat_items)}")


async def interrupts_nothing(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    await session.interrupt()
    await session.interrupt(force=True)
    told.note("interrupted")


async def falls_silent(kit: Any, session: Any, told: Told) -> None:
    session.output.set_audio_enabled(False)
    await asyncio.sleep(1.0)
    await session.generate_reply(user_input="hey")
    await session.say("Written.")


async def clears(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.9)
    session.clear_user_turn()


async def runs(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    for text in ("hey", "quick", "many", "again"):
        run = await session.run(user_input=text)
        told.note(f"run {[event.type for event in run.events]}")


BOOKED = ((0.5, 1.2, "book"), (5.5, 6.2, "Ada"), (10.0, 10.7, "hey"))
THANKED = ((0.5, 1.2, "book"), (5.5, 6.2, "Bob"), (10.0, 10.7, "hey"))
REFUSED = ((0.5, 1.2, "book"), (5.5, 6.2, "nobody"), (10.0, 10.7, "hey"))
HEY = ((0.5, 1.5, "hey"), (6.0, 7.0, "hey"))


def tool(text: str) -> Case:
    return Case(((0.5, 1.5, text),), REPLIES, booking)


CASES: dict[str, Case] = {
    "a hook that thinks": Case(HEY, REPLIES, hook(thinks)),
    "a hook that edits": Case(HEY, REPLIES, hook(edits)),
    "a hook that speaks first": Case(((0.5, 1.5, "hey"),), REPLIES, hook(speaks)),
    "a task in a tool": Case(BOOKED, REPLIES, booking, until=16.0),
    "a task that ends with words": Case(THANKED, REPLIES, booking, until=16.0),
    "a task that fails": Case(REFUSED, {**REPLIES, "no name": "Then not."}, booking, until=16.0),
    "an agent replaced in a tool": tool("stay"),
    "an argument of another type": tool("quick"),
    "an argument that is wrong": tool("wrong"),
    "an argument too many": tool("more"),
    "two tools at once": tool("many"),
    "a list as a result": tool("listed"),
    "a result without a reply": tool("silent"),
    "a reply to tools that is cancelled": Case(
        ((0.5, 1.5, "quick"),), REPLIES, booking, does=cancels_the_reply
    ),
    "tool choices": Case((), REPLIES, booking, does=generates),
    "a speech in line that is interrupted": Case((), REPLIES, does=interrupts_the_second),
    "an interruption of nothing": Case((), REPLIES, does=interrupts_nothing),
    "a session that only writes": Case((), REPLIES, does=falls_silent),
    "a turn that is cleared": Case(((0.5, 1.5, "hey"), (4.0, 5.0, "again")), REPLIES, does=clears),
    "runs": Case((), REPLIES, booking, does=runs, until=16.0),
    "a close in the middle of an answer": Case(((0.5, 1.5, "story"),), REPLIES, does=closes),
    "a close with a farewell": Case(((0.5, 1.5, "story"),), REPLIES, leaving, does=closes),
}


@pytest.mark.parametrize("name", CASES)
def test_agents_show_what_they_show_in_livekit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = held(livekit, CASES[name], monkeypatch)
    ours = held(antiphon, CASES[name], monkeypatch)
    assert _shown(ours) == _shown(theirs)
    assert len(theirs) > 3


def _shown(lines: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Without the close, which LiveKit puts off for words that nobody said."""
    return sorted(line for line in lines if not line[1].startswith("closed"))
