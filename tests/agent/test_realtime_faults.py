"""A realtime model that fails, is silent, or is lost: no hang, no zombie, and it is said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import CloseReason, llm

from antiphon import Agent, function_tool
from antiphon.simulate import calls
from tests.scripted import Call, Plain, at, check, check_sound, hold, sentence, user
from tests.scripted_producers import model_of, told
from tests.scripted_realtime import ScriptedRealtime, ScriptedSession

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

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


def test_what_was_asked_for_is_asked_for_again_on_the_next_connection() -> None:
    def ask(call: Call) -> None:
        call.session.generate_reply(instructions="Sing.", tool_choice="none")

    call = hold(at(0.1, ask), at(0.42, reconnects), agent=spoken(), until=6.0)
    check(call)
    assert [asked[1:3] for asked in told(call, "reply")] == [("Sing.", "none")] * 2


def test_what_was_being_said_as_given_is_said_to_its_end_on_the_next_connection() -> None:
    def say(call: Call) -> None:
        call.session.say(f"{WORDS[5]} {WORDS[6]}", add_to_chat_ctx=False)

    call = hold(at(0.1, say), at(1.2, reconnects), agent=spoken(supports_say=True), until=9.0)
    assert call.messages == []
    first = [word for word in f"{WORDS[5]} {WORDS[6]}".split() if word in call.heard]
    assert call.heard == first == f"{WORDS[5]} {WORDS[6]}".split()
    assert not told(call, "reply")


def test_a_reply_that_outlives_a_failure_is_not_said_again_when_the_line_is_mended() -> None:
    call = hold(
        ASKED,
        at(1.6, lambda call: fails(call, recoverable=True)),
        at(8.0, reconnects),
        agent=spoken(),
        until=14.0,
    )
    check(call, errors=1)
    assert call.text("assistant") == WORDS[0].split()


def test_sound_that_fails_is_the_models_failure_and_no_voices() -> None:
    def failing(call: Call) -> Agent:
        async def breaks(name: str, stream: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
            given = 0
            async for item in stream:
                given += 1
                if given == 3 and name == "sound":
                    raise ConnectionError("lost")
                yield item

        agent = spoken()(call)
        model_of(agent).through = breaks
        return agent

    call = hold(ASKED, agent=failing, until=6.0)
    assert call.text("assistant") == call.heard
    [event] = call.reported("error")
    assert isinstance(event.error, llm.RealtimeModelError)
    assert event.source is model_of(call.agent)
    assert call.messages[-1].interrupted


def test_two_replies_whose_tools_a_model_answers_by_itself_both_end() -> None:
    class Slow(Agent):
        @function_tool
        async def look(self) -> str:
            """Look."""
            await asyncio.sleep(1.0)
            return "here"

    def make(call: Call) -> Agent:
        can: dict[str, Any] = {"turn_detection": False, "auto_tool_reply_generation": True}
        replies: Any = [calls("look"), calls("look"), WORDS[0], WORDS[1]]
        return Slow(instructions="Answer.", llm=ScriptedRealtime(replies, call.voice, **can))

    def ask(call: Call) -> None:
        call.handles.append(call.session.generate_reply())

    call = hold(at(0.1, ask), at(0.7, ask), agent=make)
    check(call)
    assert call.text("assistant") == f"{WORDS[0]} {WORDS[1]}".split()


def test_nothing_is_told_to_a_model_whose_session_is_closed() -> None:
    """It would answer the call that has handed over."""

    class Leaving(Agent):
        @function_tool
        async def leave(self) -> Agent:
            """Leave."""
            return Plain(call.caller, call.voice)

    def make(call: Call) -> Agent:
        replies: Any = [calls("leave"), WORDS[0]]
        model = ScriptedRealtime(replies, call.voice, auto_tool_reply_generation=True)
        models.append(model)
        return Leaving(instructions="Answer.", llm=model)

    call, models = Call(), list[ScriptedRealtime]()
    hold(ASKED, agent=make, until=1.6, call=call)  # raises for what the model does after its close
    assert [session.closed for session in models[0].sessions] == [True]
    assert not call.text("assistant")


class Deaf(ScriptedRealtime):
    """It takes the user's sound, and that is all."""

    def session(self, *, turn_detection_disabled: bool = False) -> ScriptedSession:
        self.sessions.append(ScriptedSession(self, detects=False))
        return self.sessions[-1]


@pytest.mark.parametrize("greets", [False, True])
def test_a_model_that_ends_turns_and_tells_nothing_of_voices_is_reported_once(greets: bool) -> None:
    def greet(call: Call) -> None:
        if greets:
            call.session.generate_reply()

    said = [user(2.0 + 2.0 * n, 2.6 + 2.0 * n, "zaza") for n in range(6)]
    call = hold(
        at(0.1, greet),
        *said,
        agent=lambda call: Agent(
            instructions="", llm=Deaf(WORDS, call.voice, user_transcription=False)
        ),
    )
    [error] = call.reported("error")
    assert error.error.recoverable
    assert "told nothing of the last 3 voices" in str(error.error.error)
    assert len(call.text("assistant")) == len(WORDS[0].split()) * greets


def test_a_model_that_answers_every_other_voice_is_not_called_deaf() -> None:
    def asks(call: Call) -> None:
        session_of(call).emit("input_speech_started", llm.InputSpeechStartedEvent())
        session_of(call).emit("input_speech_stopped", llm.InputSpeechStoppedEvent(False))

    said = [user(2.0 + 2.0 * n, 2.6 + 2.0 * n, "zaza") for n in range(6)]
    call = hold(
        *said,
        at(5.9, asks),
        at(9.9, asks),
        agent=lambda call: Agent(
            instructions="", llm=Deaf(WORDS, call.voice, user_transcription=False)
        ),
    )
    assert call.reported("error") == []
