"""A conversation shows a program what LiveKit's session shows of it, to the millisecond."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit import agents as livekit
from livekit.agents import APIStatusError

import antiphon
from antiphon.simulate import Calls, calls
from tests.agent.side_by_side import Case, Told, held

ONE = "One two three four five six seven eight nine ten."
REPLIES = {
    "hey": "You said hey.",
    "again": "You said that again.",
    "story": ONE,
    "stop now please": "Okay then.",
    "weather": Calls("Let me look.").and_calls("look", place="Rome"),
    "sunny in Rome": "It is sunny in Rome.",
    "fail": calls("fail"),
    "no luck": "Sorry, that failed.",
    "quiet": Calls("Let me look.").and_calls("quiet"),
    "loop": calls("loop"),
    "looped": calls("loop"),
    "slow": Calls("A moment.").and_calls("slow"),
    "slowed": "That took long.",
    "second": Calls("Goodbye from me.").and_calls("second"),
    "nothing": calls("nothing"),
    "unknown": calls("unknown"),
    "announce": calls("announce"),
}
REFUSED = APIStatusError("refused", status_code=400, retryable=False)


def quick(kit: Any) -> Any:
    """An agent class whose tools take no time."""

    class Quick(kit.Agent):  # type: ignore[misc]
        @kit.function_tool  # type: ignore[untyped-decorator]
        async def look(self, place: str) -> str:
            """Look."""
            return f"sunny in {place}"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def fail(self) -> None:
            """Fail."""
            raise kit.ToolError("no luck")

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def quiet(self) -> None:
            """Say nothing."""
            raise kit.StopResponse

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def loop(self) -> str:
            """Once more."""
            return "looped"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def nothing(self) -> None:
            """Do nothing."""

    return Quick


def tools(kit: Any) -> Any:
    class Second(kit.Agent):  # type: ignore[misc]
        async def on_enter(self) -> None:
            self.session.say("Here is the second.")

    class First(quick(kit)):  # type: ignore[misc]
        @kit.function_tool  # type: ignore[untyped-decorator]
        async def slow(self) -> str:
            """Take long."""
            await asyncio.sleep(2.5)
            return "slowed"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def announce(self) -> str:
            """Announce."""
            await self.session.say("Please hold the line.")
            return "slowed"

        @kit.function_tool  # type: ignore[untyped-decorator]
        async def second(self) -> Any:
            """Hand over."""
            return Second(instructions="Second.")

    return First(instructions="Answer.")


def hooked(kit: Any) -> Any:
    class Hooked(kit.Agent):  # type: ignore[misc]
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            if new_message.text_content == "story":
                raise kit.StopResponse
            new_message.content = ["again"]

    return Hooked(instructions="Answer.")


def greeting(kit: Any) -> Any:
    class Greeting(kit.Agent):  # type: ignore[misc]
        async def on_enter(self) -> None:
            await self.session.say("Welcome to the show.")

    return Greeting(instructions="Answer.")


def leaving(kit: Any) -> Any:
    class Leaving(kit.Agent):  # type: ignore[misc]
        async def on_exit(self) -> None:
            await self.session.say("Goodbye.")

    return Leaving(instructions="Answer.")


async def interrupts(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(4.0)
    await session.interrupt()


async def interrupts_to_type(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(4.0)
    session.interrupt()
    session.generate_reply(user_input="hey")


async def is_sure_to_be_heard(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    handle = session.say(ONE, allow_interruptions=False)
    await asyncio.sleep(1.0)
    for interrupt in (session.interrupt, handle.interrupt):
        with pytest.raises(RuntimeError):
            interrupt()
    await session.interrupt(force=True)
    told.note(f"interrupted {handle.interrupted}")


async def changes_rules(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(3.5)
    session.update_options(endpointing_opts={"min_delay": 1.25})
    await session.current_agent.update_instructions("Be brief.")
    context = session.current_agent.chat_ctx.copy()
    context.add_message(role="assistant", content="By the way.", created_at=0.0)
    await session.current_agent.update_chat_ctx(context)
    told.note(f"knows {len(session.current_agent.chat_ctx.messages())} messages")


async def switches_the_input_off(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(2.0)
    session.input.set_audio_enabled(False)
    told.note(f"the user is {session.user_state}")


async def types(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    handle = session.generate_reply(user_input="hey")
    handle.add_done_callback(lambda h: told.note(f"done, interrupted={h.interrupted}"))
    await handle
    told.note(f"items {[item.type for item in handle.chat_items]}")


async def says(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    for text in ("Not kept.", "Kept."):
        await session.say(text, add_to_chat_ctx=text == "Kept.")
        told.note(f"said {text}")


async def hands_over(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(4.0)
    first = session.current_agent
    session.update_agent(kit.Agent(instructions="Second."))
    told.note(f"still the first: {session.current_agent is first}")


async def drains(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(1.0)
    session.say(ONE)
    await asyncio.sleep(0.5)
    draining = asyncio.ensure_future(session.drain())
    await asyncio.sleep(0.1)
    with pytest.raises(RuntimeError):
        session.say("More.")
    await draining
    told.note("drained")


async def leaves_the_user_alone(kit: Any, session: Any, told: Told) -> None:
    await asyncio.sleep(11.0)


SAID: dict[str, tuple[tuple[float, float, str], ...]] = {
    "hey": ((0.5, 1.5, "hey"),),
    "twice": ((0.5, 1.5, "hey"), (6.0, 7.0, "again")),
    "story": ((0.5, 1.5, "story"),),
}
CASES: dict[str, Case] = {
    "one turn": Case(SAID["hey"], REPLIES),
    "two turns": Case(SAID["twice"], REPLIES),
    "a long delay": Case(SAID["hey"], REPLIES, turns={"endpointing": {"min_delay": 1.5}}),
    "a tool": Case(((0.5, 1.5, "weather"),), REPLIES, tools),
    "a tool that fails": Case(((0.5, 1.5, "fail"),), REPLIES, tools),
    "a tool that wants no reply": Case(((0.5, 1.5, "quiet"),), REPLIES, tools),
    "a tool without a result": Case(((0.5, 1.5, "nothing"),), REPLIES, tools),
    "a tool that is not there": Case(((0.5, 1.5, "unknown"),), REPLIES, tools),
    "tools without end": Case(((0.5, 1.5, "loop"),), REPLIES, tools),
    "one step of tools": Case(((0.5, 1.5, "loop"),), REPLIES, tools, options={"max_tool_steps": 1}),
    "a slow tool": Case(((0.5, 1.5, "slow"),), REPLIES, tools),
    "a handoff": Case(((0.5, 1.5, "second"),), REPLIES, tools),
    "a hook that edits": Case(SAID["hey"], REPLIES, hooked),
    "a greeting": Case(((5.0, 6.0, "hey"),), REPLIES, greeting),
    "an interruption by hand": Case(SAID["story"], REPLIES, does=interrupts),
    "a typed message": Case((), REPLIES, does=types),
    "speeches": Case((), REPLIES, does=says),
    "an agent in the place of another": Case(SAID["twice"], REPLIES, does=hands_over),
    "a drain": Case((), REPLIES, does=drains),
    "an absent user": Case(
        SAID["hey"], REPLIES, does=leaves_the_user_alone, options={"user_away_timeout": 3.0}
    ),
    "a barge-in": Case(
        ((0.5, 1.5, "story"), (4.0, 5.0, "stop now please")),
        REPLIES,
        turns={"interruption": {"resume_false_interruption": False}},
    ),
    "a typed message that interrupts": Case(SAID["story"], REPLIES, does=interrupts_to_type),
    "a protected speech": Case((), REPLIES, does=is_sure_to_be_heard),
    "a farewell": Case(SAID["hey"], REPLIES, leaving, does=hands_over),
    "words of another kind": Case(((0.5, 1.5, "¿qué?"),), {"¿qué?": "Nada."}),
    "a tool that speaks": Case(((0.5, 1.5, "announce"),), REPLIES, tools),
    "other rules": Case(SAID["twice"], REPLIES, does=changes_rules),
    "an input that is switched off": Case(((1.5, 4.0, ""),), does=switches_the_input_off),
    "a model that refuses for good": Case(
        tuple((0.5 + 2 * n, 1.5 + 2 * n, "hey") for n in range(5)), {"hey": REFUSED}
    ),
    "a model that refuses": Case(SAID["twice"], {"hey": REFUSED, "again": "Here I am."}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_conversation_shows_what_it_shows_in_livekit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = held(livekit, CASES[name], monkeypatch)
    ours = held(antiphon, CASES[name], monkeypatch)
    assert sorted(ours) == sorted(theirs)
    assert len(theirs) > 3
