"""What programs do at bad moments: the session goes on, or ends, and never waits for itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import io, llm

from antiphon import Agent, AgentSession, UsageError, function_tool
from antiphon.lifecycle import LAST_EXIT
from antiphon.pipeline import clock
from tests.scripted import Call, Plain, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ONE, TWO, THREE = sentence(0), sentence(10), sentence(20)


def caller(*steps: Sequence[Any], tools: Sequence[Any] = ()) -> Callable[[Call], Agent]:
    return lambda call: Caller(call, steps, tools)


# A prepared answer that is not right any more.


def test_a_prepared_answer_is_thrown_away_when_the_instructions_change() -> None:
    def listen(call: Call) -> None:
        def change(event: Any) -> None:
            if event.is_final:
                call.agent._instructions = "Whisper."

        call.session.on("user_input_transcribed", change)

    call = hold(at(0.0, listen), user(0.2, 0.8, "zaza"), agent=caller([ONE], [TWO]))
    check(call)
    last = call.agent.requests[-1].context  # type: ignore[attr-defined]
    assert last.messages()[0].text_content == "Whisper."


def test_a_prepared_answer_is_thrown_away_when_something_enters_its_history() -> None:
    async def note(call: Call) -> None:
        context = call.agent.chat_ctx
        context.add_message(role="system", content="The shop is closed.")
        await call.agent.update_chat_ctx(context)

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(1.2, lambda call: asyncio.ensure_future(note(call))),
        agent=caller([ONE], [TWO]),
    )
    check(call)
    assert call.heard == TWO.split()
    last = call.agent.requests[-1].context  # type: ignore[attr-defined]
    assert "The shop is closed." in [m.text_content for m in last.messages()]


# Models and tools.


def test_two_replies_whose_model_uses_one_call_id_are_both_answered() -> None:
    @function_tool
    async def look(n: int) -> str:
        """Look."""
        await asyncio.sleep(3.0)
        return f"result {n}"

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(2.6, 3.2, "zizi"),
        agent=caller(
            [calls("look", "call_0", n=1)], [calls("look", "call_0", n=2)], [TWO], tools=[look]
        ),
    )
    check(call)
    told = story(call)
    assert told[-1] == f"assistant: {TWO}"
    assert [line for line in told if line.startswith("output")] == [
        *("output: result 1", "output: result 2")
    ]


def test_interrupting_the_session_while_tools_run_leaves_nothing_to_be_said() -> None:
    @function_tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(3.0)
        return "found"

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(3.0, lambda call: call.session.interrupt()),
        agent=caller([calls("look")], [TWO], tools=[look]),
    )
    check(call)
    assert story(call) == ["user: zaza", "call: look {}", "output: found"]


# on_exit.


class Leaving(Plain):
    """Does something when it leaves, and counts how often."""

    def __init__(self, call: Call, exit_does: Callable[[Leaving], Any]) -> None:
        super().__init__(call.caller, call.voice)
        self.exit_does = exit_does
        self.exits = 0

    async def on_exit(self) -> None:
        self.exits += 1
        await self.exit_does(self)


async def _hangs(agent: Leaving) -> None:
    await asyncio.sleep(1e6)


async def _is_cancelled(agent: Leaving) -> None:
    raise asyncio.CancelledError


async def _fails(agent: Leaving) -> None:
    raise LookupError("on the way out")


async def _closes_the_session(agent: Leaving) -> None:
    await agent.session.aclose()


async def _drains_the_session(agent: Leaving) -> None:
    await agent.session.drain()


EXITS = [_hangs, _is_cancelled, _fails, _closes_the_session, _drains_the_session]


@pytest.mark.parametrize("does", EXITS, ids=[does.__name__.strip("_") for does in EXITS])
def test_a_session_closes_whatever_on_exit_does(does: Callable[[Leaving], Any]) -> None:
    call = hold(agent=lambda call: Leaving(call, does), until=1.0)
    assert call.agent.exits == 1  # type: ignore[attr-defined]
    assert len(call.reported("close")) == 1
    assert call.ended == (1.0 + LAST_EXIT if does is _hangs else 1.0)


def test_on_exit_runs_once_when_a_close_comes_during_a_handoff() -> None:
    async def slow(agent: Leaving) -> None:
        await asyncio.sleep(3.0)

    call = hold(
        at(0.1, lambda call: call.session.update_agent(Plain(call.caller, call.voice))),
        agent=lambda call: Leaving(call, slow),
        until=1.0,
    )
    assert call.agent.exits == 1  # type: ignore[attr-defined]


def test_a_turn_behind_a_handoff_is_answered_by_the_new_agent() -> None:
    async def slow(agent: Leaving) -> None:
        await asyncio.sleep(2.0)

    made: list[Caller] = []

    def hand_over(call: Call) -> None:
        made.append(Caller(call, [[TWO]]))
        call.session.update_agent(made[0])

    call = hold(at(0.1, hand_over), user(0.2, 0.8, "zaza"), agent=lambda call: Leaving(call, slow))
    check(call)
    assert call.heard == TWO.split()
    assert len(made[0].requests) == 1


# Waiting for oneself.


class Waits(Plain):
    """Its hook waits for the session."""

    async def on_user_turn_completed(self, *_: object) -> None:
        await self.session.drain()


def test_a_hook_that_drains_the_session_does_not_wait_for_its_own_turn() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Waits(call.caller, call.voice, [ONE]))
    check(call)
    [delay] = call.records("delay")
    assert delay.detail["parts"]["hook"] == 0.0  # type: ignore[index]


def test_a_tool_that_closes_the_session_does_not_wait_for_itself() -> None:
    call = Call()

    @function_tool
    async def hang_up() -> str:
        """Hang up."""
        await call.session.aclose()
        return "closed"

    hold(user(0.2, 0.8, "zaza"), agent=caller([calls("hang_up")], tools=[hang_up]), call=call)
    assert "output: closed" in story(call)
    assert call.ended < 2.0


def test_a_tool_that_shuts_down_lets_the_goodbye_be_heard() -> None:
    call = Call()

    @function_tool
    async def hang_up() -> str:
        """Hang up."""
        call.session.shutdown(drain=True)
        return "say goodbye"

    hold(
        user(0.2, 0.8, "zaza"), agent=caller([calls("hang_up")], [TWO], tools=[hang_up]), call=call
    )
    check(call)
    assert call.heard == TWO.split()


def test_an_agent_that_takes_over_after_the_close_is_refused() -> None:
    async def late() -> None:
        session: AgentSession[None] = AgentSession(vad=None)
        await session.start(Agent(instructions=""))
        await session.aclose()
        with pytest.raises(UsageError, match="closed"):
            session.update_agent(Agent(instructions=""))

    clock.run(late, strict=True)


def test_a_tool_with_the_name_of_another_in_an_agent_that_takes_over_is_one_error() -> None:
    @function_tool
    async def look() -> str:
        """Look."""
        return ""

    @function_tool(name="look")
    async def other() -> str:
        """Look elsewhere."""
        return ""

    def agent(call: Call) -> Agent:
        made = Caller(call, [[ONE], [TWO]])
        made._tools = [look]
        return made

    def spoil(call: Call) -> None:
        call.agent._tools = [look, other]

    call = hold(at(0.1, spoil), user(0.2, 0.8, "zaza"), user(5.0, 5.6, "zizi"), agent=agent)
    assert call.text("user") == ["zaza", "zizi"]
    assert call.reported("error")
    assert isinstance(call.messages[0], llm.ChatMessage)


# Ears that are shut.


class Silence(io.AudioInput):
    """Gives no frame."""

    def __init__(self) -> None:
        super().__init__(label="silence")

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()


@pytest.mark.parametrize("shut", ["set_audio_enabled", "audio"])
def test_a_user_whose_input_is_shut_in_the_middle_of_a_word_is_not_speaking(shut: str) -> None:
    def close_ears(call: Call) -> None:
        if shut == "audio":
            call.session.input.audio = None
        else:
            call.session.input.set_audio_enabled(False)

    call = hold(
        at(0.0, lambda call: setattr(call.session.input, "audio", Silence())),
        user(0.2, 60.0, ""),
        at(1.0, close_ears),
        at(2.5, lambda call: call.say(ONE)),
        until=9.0,
    )
    users = [(state.state, state.at) for state in call.states if state.who == "user"]
    assert users == [("speaking", 0.2), ("listening", 1.0)]
    assert call.heard == ONE.split()
    assert min(began for began, _ in call.played) < 3.0
