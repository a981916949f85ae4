"""A realtime model that fails, is silent, or is lost: no hang, no zombie, and it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import CloseReason, llm

from antiphon import Agent
from tests.scripted import Call, at, check, check_sound, hold, sentence, user
from tests.scripted_producers import model_of, told
from tests.scripted_realtime import ScriptedRealtime, ScriptedSession

if TYPE_CHECKING:
    from tests.scripted import Making

WORDS = [sentence(100 * n) for n in range(8)]
ASKED = user(0.2, 0.8, "zaza zeze")


def spoken(change: Any = lambda model: None, **can: Any) -> Making:
    """An agent whose model ends no turns itself."""

    def make(call: Call) -> Agent:
        model = ScriptedRealtime(WORDS, call.voice, **{"turn_detection": False, **can})
        change(model)
        return Agent(instructions="Answer.", llm=model)

    return make


def session_of(call: Call) -> ScriptedSession:
    return model_of(call.agent).sessions[-1]


def failed(error: Exception, *, recoverable: bool) -> llm.RealtimeModelError:
    return llm.RealtimeModelError(timestamp=0.0, label="it", error=error, recoverable=recoverable)


def fails(call: Call, *, recoverable: bool) -> None:
    session = session_of(call)
    session.emit("error", failed(ConnectionError("gone"), recoverable=recoverable))


def reconnects(call: Call) -> None:
    """As the plugins do: what was coming ends, then it is said that the line is there again."""
    session = session_of(call)
    session.lose()
    session.emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())


@pytest.mark.parametrize("detects", [True, False])
def test_a_reply_that_the_model_refuses_is_reported_and_the_next_one_is_said(detects: bool) -> None:
    refusals: list[Exception] = [llm.RealtimeError("not now")]

    def refuse(model: ScriptedRealtime) -> None:
        model.refuses = lambda: refusals.pop() if refusals else None

    call = hold(
        at(0.1, lambda call: call.session.generate_reply()),
        user(2.0, 2.6, "zizi"),
        agent=spoken(refuse, turn_detection=detects),
    )
    check(call, errors=1)
    assert call.text("assistant") == WORDS[0].split()


def test_a_model_that_never_answers_holds_nothing_up() -> None:
    def hang(model: ScriptedRealtime) -> None:
        model.pace.created = 1e6

    call = hold(ASKED, agent=spoken(hang))
    check(call, errors=1)
    [error] = call.reported("error")
    assert "generate_reply" in str(error.error.error)


def test_a_response_that_never_begins_is_given_up() -> None:
    def hang(model: ScriptedRealtime) -> None:
        model.pace.first = 1e6

    call = hold(ASKED, agent=spoken(hang))
    check(call, errors=1)
    assert told(call, "interrupt")


def test_a_model_that_is_lost_for_good_ends_the_session() -> None:
    call = hold(ASKED, at(1.6, lambda call: fails(call, recoverable=False)), agent=spoken())
    check_sound(call)
    [closed] = call.reported("close")
    assert closed.reason is CloseReason.ERROR
    assert session_of(call).closed


@pytest.mark.parametrize("moment", [1.0, 1.35, 1.5, 1.7, 1.9])
@pytest.mark.parametrize("detects", [True, False])
def test_what_a_lost_connection_breaks_off_is_said_anew(moment: float, detects: bool) -> None:
    call = hold(
        ASKED, at(moment, reconnects), user(6.0, 6.6, "zizi"), agent=spoken(turn_detection=detects)
    )
    check(call)
    assert call.messages[-1].role == "assistant"
    said = [m.text_content for m in call.messages if m.role == "assistant" and not m.interrupted]
    assert len(said) == 2


def test_an_error_that_the_model_survives_is_told_and_changes_nothing() -> None:
    call = hold(ASKED, at(1.6, lambda call: fails(call, recoverable=True)), agent=spoken())
    check(call, errors=1)
    assert call.text("assistant") == WORDS[0].split()


def test_a_plugin_that_raises_is_reported_once() -> None:
    def broken(model: ScriptedRealtime) -> None:
        def session(*, turn_detection_disabled: bool = False) -> ScriptedSession:
            made = ScriptedSession(model, detects=False)
            model.sessions.append(made)

            def commit_audio() -> None:
                raise KeyError("no buffer")

            made.commit_audio = commit_audio  # type: ignore[method-assign]
            return made

        model.session = session  # type: ignore[method-assign]

    call = hold(ASKED, user(3.0, 3.6, "zizi"), agent=spoken(broken))
    texts = [str(event.error.error) for event in call.reported("error")]
    assert sum("no buffer" in text and "gone" not in text for text in texts) == 1
    assert all(handle.done() for handle in call.handles)


def test_a_model_that_has_no_session_to_give_ends_ours() -> None:
    def refused(model: ScriptedRealtime) -> None:
        def session(*, turn_detection_disabled: bool = False) -> ScriptedSession:
            raise ConnectionError("refused")

        model.session = session  # type: ignore[method-assign]

    call = hold(ASKED, agent=spoken(refused))
    [closed] = call.reported("close")
    assert closed.reason is CloseReason.ERROR


def test_another_model_takes_over_and_says_again_what_was_broken_off() -> None:
    models: list[ScriptedRealtime] = []

    def make(call: Call) -> Agent:
        models.extend(
            ScriptedRealtime(words, call.voice, turn_detection=False)
            for words in (WORDS[:4], WORDS[4:])
        )
        return Agent(instructions="Answer.", llm=llm.RealtimeModelFallbackAdapter([*models]))

    def lose(_: Call) -> None:
        models[0].sessions[0].emit("error", failed(ConnectionError("gone"), recoverable=False))

    call = hold(ASKED, at(1.6, lose), user(6.0, 6.6, "zizi"), agent=make)
    check(call, errors=1)
    assert call.messages[-1].text_content == WORDS[5]
    assert [session.closed for model in models for session in model.sessions] == [True, True]
