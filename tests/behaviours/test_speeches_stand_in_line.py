"""When a speech begins beside others, beside the user and beside a hook, and what shows of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, UsageError, function_tool
from antiphon.simulate import ScriptedSTT, does, says, simulate
from tests.scripted import Call, Plain, at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls

if TYPE_CHECKING:
    from livekit.agents import llm

    from antiphon import TurnHandlingOptions

ONE, TWO, THREE = sentence(0), sentence(10), sentence(20)
OFF: TurnHandlingOptions = {"preemptive_generation": {"enabled": False}}


class Filling(Caller):
    """Says something in the hook, so that nobody hears the model think."""

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        self.session.say(ONE)


def test_the_model_thinks_while_what_a_hook_says_is_heard() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"), agent=lambda call: Filling(call, [[TWO]]), turn_handling=OFF
    )
    check(call)
    [request] = call.agent.requests  # type: ignore[attr-defined]
    assert request.at == call.records("commit")[0].t
    assert request.context.items[-1].text_content == "zaza"
    assert call.heard == [*ONE.split(), *TWO.split()]
    assert [m.text_content for m in call.messages] == ["zaza", ONE, TWO]


class Patient(Filling):
    """Waits until that has been heard."""

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        await self.session.say(ONE)


def test_history_has_the_users_words_before_what_their_hook_said() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"), agent=lambda call: Patient(call, [[TWO]]), turn_handling=OFF
    )
    check(call)
    assert [m.text_content for m in call.messages] == ["zaza", ONE, TWO]


def test_an_answer_behind_a_protected_speech_knows_how_that_ended() -> None:
    call = hold(
        at(0.1, lambda call: call.say(ONE, allow_interruptions=False)),
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Caller(call, [[TWO]]),
    )
    check(call)
    [request] = call.agent.requests  # type: ignore[attr-defined]
    assert ONE in [message.text_content for message in request.context.messages()]


def states(call: Call) -> list[tuple[str, str]]:
    return [(e.old_state, e.new_state) for e in call.reported("agent_state_changed")]


def test_who_interrupts_to_ask_for_a_reply_sees_no_moment_of_listening() -> None:
    def ask(call: Call) -> None:
        call.session.interrupt()
        call.handles.append(call.session.generate_reply(user_input="Zeze?"))

    call = hold(at(0.1, lambda call: call.say(ONE)), at(0.5, ask))
    check_heard_of(call)
    assert ("speaking", "thinking") in states(call)
    assert states(call).count(("speaking", "listening")) == 1  # at the end


def test_who_waits_for_an_interruption_sees_the_agent_listen() -> None:
    seen: list[str] = []

    async def ask(call: Call) -> None:
        done = call.session.interrupt()
        seen.append(call.session.agent_state)
        await done
        seen.append(call.session.agent_state)

    def later(call: Call) -> None:
        tasks.append(asyncio.ensure_future(ask(call)))

    tasks: list[asyncio.Task[None]] = []
    call = hold(at(0.1, lambda call: call.say(ONE)), at(0.5, later))
    check(call)
    assert seen == ["speaking", "listening"]


def check_heard_of(call: Call) -> None:
    """Nothing fails, and every speech is over (the words of a typed input were never spoken)."""
    assert not call.reported("error")
    assert all(handle.done() for handle in call.handles)


def test_an_agent_that_is_handed_over_to_is_the_current_one_at_once() -> None:
    seen: list[Agent] = []
    second = Agent(instructions="Second.")

    class First(Plain):
        async def on_exit(self) -> None:
            await self.session.say(TWO)

    def hand_over(call: Call) -> None:
        call.session.update_agent(second)
        seen.append(call.session.current_agent)

    call = hold(
        at(0.1, lambda call: call.say(ONE)),
        at(0.2, hand_over),
        agent=lambda call: First(call.caller, call.voice),
    )
    assert seen == [second]
    assert call.heard == [*ONE.split(), *TWO.split()]


def test_nothing_more_can_be_asked_for_while_somebody_waits_for_the_drain() -> None:
    drained: list[asyncio.Task[None]] = []

    def ask(call: Call) -> None:
        with pytest.raises(UsageError, match="the session drains"):
            call.session.say(TWO)

    call = hold(
        at(0.1, lambda call: call.say(ONE)),
        at(0.2, lambda call: drained.append(asyncio.ensure_future(call.session.drain()))),
        at(0.3, ask),
        at(5.0, lambda call: call.say(THREE)),  # the session did not close after it
    )
    check(call)
    assert [task.done() for task in drained] == [True]
    assert call.heard == [*ONE.split(), *THREE.split()]


def test_a_model_that_answers_a_tool_calls_no_other_while_the_session_drains() -> None:
    @function_tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(2.0)
        return "seen"

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(2.0, lambda call: call.session.shutdown(drain=True)),
        agent=lambda call: Caller(call, [[calls("look")], [ONE]], [look]),
    )
    check(call)
    requests = call.agent.requests  # type: ignore[attr-defined]
    assert [request.choice for request in requests][-1] == "none"
    assert call.heard == ONE.split()


@pytest.mark.parametrize("lasts", [1.0, 6.0])
def test_a_speech_waits_for_a_user_whose_words_come_only_at_the_end(lasts: float) -> None:
    handles: list[Any] = []
    call = simulate(
        Agent(instructions="Answer."),
        [
            says("the whole story of my life", at=0.2, lasts=lasts),
            does(lambda call: handles.append(call.session.say("By the way.")), at=0.5),
        ],
        stt=ScriptedSTT(interim=None),
        llm=["I see."],
    )
    said = [(line.speaker, line.text) for line in call.lines]
    assert said == [
        ("user", "the whole story of my life"),
        ("agent", "By the way."),
        ("agent", "I see."),
    ]
    assert not handles[0].interrupted


def test_who_waits_beside_a_speech_waits_no_longer_than_that_is_heard() -> None:
    seen: list[tuple[float, bool]] = []

    async def wait(call: Call, handle: Any, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        begun, work = loop.time(), asyncio.ensure_future(asyncio.sleep(seconds))
        await handle.wait_if_not_interrupted([work])
        seen.append((round(loop.time() - begun, 6), work.done()))

    tasks: list[asyncio.Task[None]] = []

    def begin(call: Call) -> None:
        for seconds in (0.25, 0.75, 5.0):
            waiting = wait(call, call.handles[0], seconds)
            tasks.append(asyncio.ensure_future(waiting))

    hold(
        at(0.1, lambda call: call.say(ONE)),
        at(0.2, begin),
        at(0.7, lambda call: call.session.interrupt()),
        until=9.0,
    )
    assert seen == [(0.25, True), (0.5, False), (0.5, False)]


def test_a_speech_that_has_ended_by_itself_is_no_interruption() -> None:
    seen: list[float] = []

    async def wait(call: Call) -> None:
        loop = asyncio.get_running_loop()
        begun, work = loop.time(), loop.create_future()
        loop.call_later(4.0, work.set_result, None)
        await call.handles[0].wait_if_not_interrupted([work])
        seen.append(round(loop.time() - begun, 6))

    tasks: list[asyncio.Task[None]] = []
    hold(
        at(0.1, lambda call: call.say(ONE)),
        at(0.2, lambda call: tasks.append(asyncio.ensure_future(wait(call)))),
        until=9.0,
    )
    assert seen == [4.0]


def test_the_model_thinks_while_a_speech_that_the_user_held_is_heard() -> None:
    call = hold(
        user(0.2, 1.2, "zaza"),
        at(0.5, lambda call: call.say(ONE)),
        agent=lambda call: Caller(call, [[TWO]]),
    )
    check(call)
    [request] = call.agent.requests  # type: ignore[attr-defined]
    assert request.at == call.records("commit")[0].t
    assert request.context.items[-1].text_content == "zaza"
    assert call.heard == [*ONE.split(), *TWO.split()]
    assert not call.reported("agent_false_interruption")  # the user did say something


def test_a_reply_that_is_taken_back_at_once_shows_no_thought() -> None:
    def change_ones_mind(call: Call) -> None:
        call.session.generate_reply().interrupt()

    call = hold(at(0.1, change_ones_mind))
    check(call)
    assert states(call) == [("initializing", "listening")]


def test_an_agent_whose_tool_runs_on_thinks_on_when_the_user_says_something_else() -> None:
    @function_tool
    async def look() -> str:
        """Look."""
        await asyncio.sleep(5.0)
        return "seen"

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(3.0, 3.6, "zeze"),
        agent=lambda call: Caller(call, [[calls("look")], [ONE]], [look]),
        turn_handling=OFF,
    )
    check(call)
    shown = [new for _, new in states(call)]
    assert shown == ["listening", "thinking", "speaking", "listening"]
