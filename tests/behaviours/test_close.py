"""Closing keeps what was said, is bounded in time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from antiphon import CloseReason, UsageError
from tests.scripted import Call, Plain, at, check, hold, plain, sentence, user
from tests.scripted_models import modelled
from tests.sweeps import every

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LONG = " ".join(sentence(first) for first in (0, 10, 20, 30))


@pytest.mark.parametrize("make", [plain, modelled])
def test_a_close_at_any_moment_silences_the_agent_and_keeps_what_was_heard(make: object) -> None:
    for moment in every(0.0, 4.0, 0.05):
        call = hold(
            user(0.2, 0.8, "zaza zeze"),
            at(2.4, lambda call: call.say(sentence(5000))),
            agent=make,  # type: ignore[arg-type]
            until=moment,
        )
        check(call)
        assert [event.reason for event in call.reported("close")] == [CloseReason.USER_INITIATED]
        silent = [began + len(pcm) / 1000 for began, pcm in call.played]
        assert max(silent, default=0.0) <= call.records("closed")[0].t + 1e-9


def test_what_waits_in_line_is_never_heard_after_a_close() -> None:
    call = hold(
        at(0.1, lambda call: call.say(LONG)),
        at(0.1, lambda call: call.say(sentence(5000))),
        at(0.1, lambda call: call.say(sentence(6000), allow_interruptions=False)),
        until=1.0,
    )
    check(call)
    assert [handle.interrupted for handle in call.handles] == [True, True, True]
    assert set(call.heard) < set(LONG.split())


def test_closing_twice_reports_once() -> None:
    call = hold(
        at(0.1, lambda call: call.session.shutdown(drain=False)),
        at(0.2, lambda call: call.session.shutdown()),
        until=1.0,
    )
    assert len(call.reported("close")) == 1


def test_nothing_new_can_be_asked_for_while_a_session_drains() -> None:
    refused: list[str] = []

    def ask(call: Call) -> None:
        for text in ("More.", None):
            with pytest.raises(RuntimeError, match="the session drains") as error:
                call.session.say(text) if text else call.session.generate_reply()
            refused.append(str(error.value))

    call = hold(
        at(0.1, lambda call: call.say(sentence(0))),
        at(0.2, lambda call: call.session.shutdown(drain=True)),
        at(0.3, ask),
        until=9.0,
    )
    check(call)
    assert len(refused) == 2
    assert call.heard == sentence(0).split()


def test_a_shutdown_that_drains_lets_the_agent_finish() -> None:
    call = hold(
        at(0.1, lambda call: call.say(LONG)),
        at(0.2, lambda call: call.session.shutdown(drain=True)),
        until=10.0,
    )
    check(call)
    assert call.heard == LONG.split()
    assert call.reported("close")[0].reason is CloseReason.USER_INITIATED


def test_on_exit_may_still_speak() -> None:
    class Polite(Plain):
        async def on_exit(self) -> None:
            await self.session.say(sentence(7000))

    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: Polite(call.caller, call.voice))
    check(call)
    assert call.text("assistant")[-6:] == sentence(7000).split()


def test_an_on_exit_that_fails_is_one_error_and_the_session_closes() -> None:
    class Failing(Plain):
        async def on_exit(self) -> None:
            raise LookupError("on the way out")

    call = hold(agent=lambda call: Failing(call.caller, call.voice), until=1.0)
    check(call, errors=1)


def test_a_callback_may_close_the_session() -> None:
    def make(call: Call) -> Plain:
        return Plain(call.caller, call.voice)

    call = Call()

    def closing(call: Call) -> None:
        call.session.on("conversation_item_added", lambda _: call.session.shutdown(drain=False))

    hold(at(0.0, closing), user(0.2, 0.8, "zaza"), agent=make, call=call, until=5.0)
    check(call)


def test_nothing_can_be_said_after_the_close_and_the_error_says_so() -> None:
    call = Call()

    def after() -> None:
        with pytest.raises(UsageError, match="has closed"):
            call.session.say("Again.")
        with pytest.raises(UsageError, match="has closed"):
            call.session.generate_reply()

    hold(at(0.1, lambda call: call.say(LONG)), call=call, after=after)
    check(call)


def test_a_recogniser_that_speaks_after_the_close_is_not_heard() -> None:
    call = Call()
    let_go: list[asyncio.Event] = []

    class Late(Plain):
        async def stt_node(self, *_: object) -> AsyncGenerator[str, None]:  # type: ignore[override]
            let_go.append(asyncio.Event())
            while not let_go[0].is_set():
                try:
                    await let_go[0].wait()
                except asyncio.CancelledError:
                    continue
            yield "zaza zeze"

    hold(
        agent=lambda call: Late(call.caller, call.voice),
        until=1.0,
        call=call,
        after=lambda: let_go[0].set(),
    )
    check(call)
    assert call.messages == []


def test_a_close_does_not_wait_for_words_that_are_all_there() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        at(2.0, lambda call: call.session.shutdown(drain=False)),
        turn_handling={"endpointing": {"min_delay": 5.0, "max_delay": 6.0}},
    )
    assert call.text("user") == ["zaza"]
    assert [record.t for record in call.records("session_closed")] == [2.0]
