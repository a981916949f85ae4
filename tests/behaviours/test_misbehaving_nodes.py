"""Promise 1, against the providers: whatever a node does to unwind, the call goes on."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripted import Call, at, check, check_sound, hold, user
from tests.scripted_faults import (
    NODES,
    STREAMS,
    Items,
    Wrapping,
    gives_nothing,
    ignores_cancellation,
    never_begins,
    never_ends,
    raises_while_closing,
    sleeps_in_finally,
    swallows_generator_exit,
    wrapped,
    yields_after_the_end,
)
from tests.scripted_producers import its_turns, model_of, our_turns
from tests.sweeps import every

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from antiphon import Agent
    from tests.scripted import Making

UNWINDING: list[Wrapping] = [
    *(ignores_cancellation, raises_while_closing, sleeps_in_finally),
    *(swallows_generator_exit, yields_after_the_end),
]


def hears(call: Call, node: str, *, errors: int = 0) -> None:
    """All promises hold; a sound without an end has a last word of which nobody knows the end."""
    if node != "sound":
        check(call, errors=errors)
        return
    check_sound(call)
    assert set(call.text("assistant")) <= set(call.heard)
    assert call.text("user") == call.caller.words
    assert len(call.reported("error")) == errors


@pytest.mark.parametrize("node", [*NODES, *STREAMS])
@pytest.mark.parametrize("wrap", UNWINDING)
def test_a_node_that_unwinds_badly_delays_nothing(node: str, wrap: Wrapping) -> None:
    for moment in every(0.85, 3.35, 0.05 if node in NODES else 0.2):
        call = hold(
            user(0.2, 0.8, "zaza"),
            user(moment, moment + 0.4, "zeze zizi"),
            user(6.0, 6.4, "zozo"),
            agent=wrapped(node, wrap),
            until=10.0,
        )
        errors = len(call.reported("error"))
        assert errors <= 1
        hears(call, node, errors=errors)
        assert [m.role for m in call.messages][-1] == "assistant"
        assert not call.messages[-1].interrupted


# Cut at every await.


class Counted:
    """Awaits something and counts how often it waited; cuts the reply at the wait number `at`."""

    def __init__(self, call: Call, cut_at: int) -> None:
        self.call, self.cut_at, self.waits = call, cut_at, 0

    def each(self, waiting: Awaitable[Any]) -> Steps:
        return Steps(self, waiting)

    def count(self) -> None:
        self.waits += 1
        if self.waits == self.cut_at:
            loop = asyncio.get_running_loop()
            loop.call_soon(self.call.session.interrupt)


class Steps:
    """An awaitable that reports each suspension of the one inside."""

    def __init__(self, counted: Counted, waiting: Awaitable[Any]) -> None:
        self.counted, self.waiting = counted, waiting

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.waiting.__await__()
        sent: Any = None
        while True:
            try:
                step = steps.send(sent)
            except StopIteration as stop:
                return stop.value
            self.counted.count()
            try:
                sent = yield step
            except BaseException as error:
                steps.throw(error)
                raise


def cutting(counted: Counted) -> Wrapping:
    async def wrap(call: Call, source: Items) -> Items:
        try:
            while True:
                try:
                    item = await counted.each(anext(source))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            await source.aclose()

    return wrap


@pytest.mark.parametrize("node", ["llm", "tts", *STREAMS])
def test_a_reply_can_be_cut_at_every_await_of_its_nodes(node: str) -> None:
    for cut_at in itertools.count(1):
        call = Call()
        counted = Counted(call, cut_at)
        hold(
            user(0.2, 0.8, "zaza"),
            user(6.0, 6.4, "zozo"),
            agent=wrapped(node, cutting(counted)),
            call=call,
        )
        check(call)
        assert call.messages[-1].role == "assistant"
        assert not call.messages[-1].interrupted
        if counted.waits < cut_at:
            break
    assert cut_at > (20 if node in NODES else 1)  # the sweep has been over all of them


class Closing(Counted):
    """Closes the session at the wait number `at`, instead."""

    def count(self) -> None:
        self.waits += 1
        if self.waits == self.cut_at:
            asyncio.get_running_loop().call_soon(partial(self.call.session.shutdown, drain=False))


@pytest.mark.parametrize("node", [*NODES, *STREAMS])
def test_a_session_can_be_closed_at_every_await_of_its_nodes(node: str) -> None:
    for cut_at in itertools.count(1):
        call = Call()
        counted = Closing(call, cut_at)
        talk = user(0.2, 0.8, "zaza")
        hold(talk, agent=wrapped(node, cutting(counted)), call=call, until=8.0)
        assert call.text("assistant") == call.heard
        said = call.text("user")  # what the caller says to a closed session is said to nobody
        assert said == call.caller.words[: len(said)]
        if counted.waits < cut_at:
            assert cut_at > 1 and said  # the sweep has been over all of them
            return


# Never end, give nothing, will not stop at all.


@pytest.mark.parametrize("node", ["llm", "tts", *STREAMS])
@pytest.mark.parametrize("wrap", [never_begins, never_ends])
def test_a_node_that_says_no_more_is_given_up_with_one_error(node: str, wrap: Wrapping) -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(60.0, 60.4, "zozo"),
        agent=wrapped(node, wrap),
    )
    silent = node == "words" and wrap is never_begins
    hears(call, "sound" if silent else node, errors=1)  # a sound may have no words
    who = node if node in NODES else "llm"
    assert f"{who}_node gave nothing" in str(call.reported("error")[0].error)
    assert call.messages[-1].role == "assistant"
    assert not call.messages[-1].interrupted


@pytest.mark.parametrize("node", ["llm", "tts", "messages", "sound"])
def test_a_node_that_never_ends_can_be_barged_in_on(node: str) -> None:
    for wrap in (never_begins, never_ends):
        call = hold(
            user(0.2, 0.8, "zaza"),
            user(4.0, 4.5, "zeze zizi"),
            agent=wrapped(node, wrap),
        )
        hears(call, node)
        assert call.messages[-1].role == "assistant"


@pytest.mark.parametrize("node", ["llm", "messages"])
def test_a_model_that_gives_nothing_says_nothing(node: str) -> None:
    call = hold(user(0.2, 0.8, "zaza"), user(6.0, 6.4, "zozo"), agent=wrapped(node, gives_nothing))
    check(call)
    assert [m.role for m in call.messages] == ["user", "user", "assistant"]


@pytest.mark.parametrize("node", ["tts", "sound"])
def test_a_voice_that_gives_nothing_is_one_error(node: str) -> None:
    call = hold(user(0.2, 0.8, "zaza"), user(6.0, 6.4, "zozo"), agent=wrapped(node, gives_nothing))
    check(call, errors=1)
    assert [m.role for m in call.messages] == ["user", "user", "assistant"]


LEFT = {"stt": [], **{node: [f"reply 1/{node}"] for node in ("llm", "tts")}}
LEFT |= {"messages": ["response/messages"], "words": ["response/messages"]}
LEFT |= {"sound": ["response/sound"]}


@pytest.mark.parametrize("node", [*NODES, *STREAMS])
def test_a_node_that_will_not_stop_is_left_behind_by_name_and_the_call_goes_on(node: str) -> None:
    let_go: list[asyncio.Event] = []  # of the first call only: the others stop

    async def stubborn(call: Call, source: Items) -> Items:
        let_go.append(asyncio.Event())
        try:
            async for item in source:
                yield item
        finally:
            await source.aclose()
            while not let_go[0].is_set():
                try:
                    await let_go[0].wait()
                except asyncio.CancelledError:
                    continue

    strays: list[str] = []
    running: list[str] = []

    def after() -> None:
        running.extend(task.get_name() for task in asyncio.all_tasks())
        let_go[0].set()

    call = hold(
        user(0.2, 0.8, "zaza"),
        user(1.6, 2.2, "zeze zizi"),
        user(6.0, 6.4, "zozo"),
        at(9.9, lambda call: strays.extend(call.session.conversation.strays.names)),
        agent=wrapped(node, stubborn),
        until=10.0,
        after=after,
    )
    assert call.text("assistant") == call.heard
    assert call.text("user") == call.caller.words
    check_sound(call)
    assert call.messages[-1].role == "assistant"
    assert strays == LEFT[node]
    assert len(running) == 1  # this test's own: `asyncio.run` would not wait for the stray


@pytest.mark.parametrize("agent", [our_turns, its_turns])
def test_a_realtime_model_that_is_not_interrupted_is_not_heard_either(agent: Making) -> None:
    def deaf(call: Call) -> Agent:
        made = agent(call)
        model_of(made).deaf = True
        return made

    for moment in [0.85 + 0.05 * n for n in range(40)]:
        call = hold(
            user(0.2, 0.8, "zaza"),
            user(moment, moment + 0.4, "zeze zizi"),
            user(6.0, 6.4, "zozo"),
            agent=deaf,
        )
        check(call)
        assert [m.role for m in call.messages][-1] == "assistant"
        assert not call.messages[-1].interrupted


def test_a_realtime_model_that_does_not_close_holds_nobody_up() -> None:
    def hang(call: Call) -> None:
        session = model_of(call.agent).sessions[0]
        closes = session.aclose

        async def hangs() -> None:
            await closes()
            await asyncio.sleep(1e6)

        session.aclose = hangs  # type: ignore[method-assign]

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(2.0, hang),
        agent=our_turns,
        until=3.0,
    )
    check(call)
    assert call.ended <= 3.0 + 2.5
