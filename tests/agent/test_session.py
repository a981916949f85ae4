"""The session's own names: what they do, in which order they report, and what they refuse."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import AgentSession, ChatContext, UsageError
from antiphon.simulate import ScriptedLLM
from tests.scripted import Call, Plain, at, check, hold, plain, sentence, user
from tests.scripted_models import modelled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ONE, TWO = sentence(0), sentence(10)
LONG = " ".join(sentence(first) for first in (0, 10, 20, 30))


def test_a_turn_is_reported_in_the_order_in_which_it_happens() -> None:
    call = hold(user(0.2, 0.8, "zaza"))
    named = [
        (name, getattr(event, "new_state", None) or getattr(event, "transcript", None))
        for _, name, event in call.events
    ]
    assert named == [
        ("conversation_item_added", None),
        ("agent_state_changed", "listening"),
        ("user_state_changed", "speaking"),
        ("user_input_transcribed", "zaza"),
        ("user_state_changed", "listening"),
        ("user_input_transcribed", "zaza"),
        ("conversation_item_added", None),
        ("speech_created", None),
        ("metrics_collected", None),
        ("agent_state_changed", "thinking"),
        ("agent_state_changed", "speaking"),
        ("conversation_item_added", None),
        ("agent_state_changed", "listening"),
        ("close", None),
    ]
    heard = call.reported("user_input_transcribed")
    assert [event.is_final for event in heard] == [False, True]
    items = [event.item for event in call.reported("conversation_item_added")]
    assert [getattr(item, "role", item.type) for item in items] == [
        *("agent_handoff", "user", "assistant")
    ]


def test_a_text_that_only_has_to_be_spoken_is_not_thought_about() -> None:
    call = Call()
    hold(at(0.2, lambda call: [call.say(ONE), call.say(ONE)]), call=call)
    changes = call.reported("agent_state_changed")
    assert [event.new_state for event in changes] == [
        *("listening", "speaking", "listening", "speaking", "listening")
    ]


def test_a_voice_that_is_turned_off_says_nothing_until_it_is_turned_on() -> None:
    call = Call()
    hold(
        at(0.1, lambda call: call.session.output.set_audio_enabled(False)),
        at(0.2, lambda call: call.say(ONE)),
        at(5.0, lambda call: call.session.output.set_audio_enabled(True)),
        at(5.1, lambda call: call.say(TWO)),
        call=call,
    )
    assert call.heard == TWO.split()
    assert call.text("assistant") == [*ONE.split(), *TWO.split()]


def test_an_agent_in_a_session_knows_its_instructions_before_all_else() -> None:
    call = hold(user(0.2, 0.8, "zaza"), agent=lambda call: modelled(call))
    check(call)
    known = call.agent.chat_ctx.items
    assert [getattr(item, "role", item.type) for item in known] == [
        *("system", "agent_config_update", "user", "assistant")
    ]


def test_speeches_of_the_application_are_reported_when_they_are_made() -> None:
    call = Call()
    hold(
        at(0.1, lambda call: call.say("Zaza zeze.")),
        at(5.0, lambda call: call.handles.append(call.session.generate_reply())),
        call=call,
    )
    check(call)
    events = call.reported("speech_created")
    assert [event.source for event in events] == ["say", "generate_reply"]
    assert [event.speech_handle for event in events] == call.handles


def test_generate_reply_gives_the_model_its_instructions_and_the_users_words() -> None:
    call = hold(
        at(
            0.1,
            lambda call: call.session.generate_reply(
                user_input="A question.", instructions="Be brief."
            ),
        )
    )
    check_answered(call)
    (asked,) = call.agent.asked  # type: ignore[attr-defined]
    assert [m.text_content for m in asked.messages()] == ["Answer.", "A question.", "Be brief."]
    assert call.messages[0].text_content == "A question."


def check_answered(call: Call) -> None:
    assert call.text("assistant") == call.heard != []


def test_the_model_sees_what_was_heard_and_nothing_else() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"), user(2.0, 2.6, "zeze zizi"), agent=lambda call: modelled(call)
    )
    check(call)
    mind = call.agent.llm
    assert isinstance(mind, ScriptedLLM)
    seen = [m.text_content for m in mind.asked[-1].messages()[1:]]
    assert seen == [message.text_content for message in call.messages[:-1]]


def test_update_instructions_holds_from_the_next_reply_on() -> None:
    call = Call()

    def update(call: Call) -> None:
        coroutine = call.agent.update_instructions("Sing.")
        with pytest.raises(StopIteration):
            coroutine.send(None)

    hold(user(0.2, 0.8, "zaza"), at(4.0, update), user(5.0, 5.5, "zeze"), call=call)
    first, second = call.agent.asked  # type: ignore[attr-defined]
    assert first.items[0].text_content == "Answer."
    assert second.items[0].text_content == "Sing."


def test_speeches_are_heard_one_after_the_other_in_the_order_asked_for() -> None:
    texts = [sentence(1000 * n) for n in range(3)]
    call = hold(*(at(0.1, lambda call, t=t: call.say(t)) for t in texts))  # type: ignore[misc]
    check(call)
    assert [m.text_content for m in call.messages] == texts


def test_a_handle_is_done_when_its_speech_has_been_heard() -> None:
    done: list[tuple[float, bool]] = []
    call = Call()

    def say(call: Call) -> None:
        handle = call.say(LONG)
        loop = asyncio.get_running_loop()
        handle.add_done_callback(lambda h: done.append((loop.time(), h.interrupted)))

    hold(at(0.1, say), call=call)
    (handle,) = call.handles
    began, pcm = call.played[-1]
    ((when, interrupted),) = done
    assert when == pytest.approx(began + len(pcm) / 1000, abs=1e-9)
    assert not interrupted
    assert handle.exception() is None
    assert [item.text_content for item in handle.chat_items] == [LONG]  # type: ignore[union-attr]


async def test_a_handle_can_be_awaited_more_than_once_and_never_raises() -> None:
    async with talking() as call:
        handle = call.session.say(LONG)
        with pytest.raises(asyncio.InvalidStateError):
            handle.exception()
        asyncio.get_running_loop().call_later(0.5, handle.interrupt)
        assert await handle is handle
        assert handle.interrupted
        assert await handle is handle


@asynccontextmanager
async def talking(agent: type[Plain] = Plain, **options: Any) -> AsyncGenerator[Call, None]:
    """A running session, for tests that are coroutines themselves."""
    call = Call()
    await call.dial(agent(call.caller, call.voice), options)
    try:
        yield call
    finally:
        await call.end()


async def test_protected_speech_refuses_to_be_interrupted_unless_it_is_forced() -> None:
    async with talking() as call:
        handle = call.session.say(LONG, allow_interruptions=False)
        await asyncio.sleep(0.5)
        with pytest.raises(RuntimeError, match="does not allow interruptions"):
            handle.interrupt()
        with pytest.raises(RuntimeError, match="does not allow interruptions"):
            call.session.interrupt()
        assert not handle.done()
        call.session.interrupt(force=True)
        await handle
        assert handle.interrupted
        with pytest.raises(RuntimeError):
            handle.allow_interruptions = False


async def test_interrupt_ends_what_waits_up_to_the_first_protected_speech() -> None:
    async with talking() as call:
        first, second = call.session.say(LONG), call.session.say(sentence(1000))
        third = call.session.say(sentence(2000), allow_interruptions=False)
        fourth = call.session.say(sentence(3000))
        await asyncio.sleep(0.5)
        await call.session.interrupt()
        assert (first.interrupted, second.interrupted) == (True, True)
        await fourth
        assert (third.interrupted, fourth.interrupted) == (False, False)


async def test_drain_waits_for_everything_asked_for() -> None:
    async with talking() as call:
        handles = [call.session.say(sentence(1000 * n)) for n in range(3)]
        await call.session.drain()
        assert all(handle.done() and not handle.interrupted for handle in handles)


async def test_commit_user_turn_gives_the_words_and_skip_reply_no_answer() -> None:
    async with talking(turn_handling={"turn_detection": "manual"}) as call:
        call.caller.says("zaza zeze", final=True)
        await asyncio.sleep(0.1)
        assert await call.session.commit_user_turn(skip_reply=True) == "zaza zeze"
        await asyncio.sleep(5.0)
        assert [m.role for m in call.messages] == ["user"]
        assert await call.session.commit_user_turn(transcript_timeout=0.5) == ""


async def test_commit_user_turn_takes_the_interim_words_when_no_final_comes() -> None:
    async with talking() as call:
        call.caller.starts()
        call.caller.says("zaza", final=False)
        await asyncio.sleep(0.1)
        assert await call.session.commit_user_turn(transcript_timeout=0.5) == "zaza"


async def test_clear_user_turn_forgets_the_words() -> None:
    async with talking() as call:
        call.caller.says("zaza", final=True)
        await asyncio.sleep(0.1)
        call.session.clear_user_turn()
        await asyncio.sleep(5.0)
        assert call.messages == []


class Waiting(Plain):
    """Waits for its own speech inside a node."""

    caught: list[BaseException]

    async def llm_node(self, *_: object) -> AsyncGenerator[str, None]:
        self.caught = []
        speech = self.session.current_speech
        assert speech is not None
        try:
            await speech
        except UsageError as error:
            self.caught.append(error)
        yield "Zaza zeze."


async def test_waiting_for_ones_own_speech_is_an_error_at_once() -> None:
    async with talking(Waiting) as call:
        began = asyncio.get_running_loop().time()
        await call.session.generate_reply()
        assert asyncio.get_running_loop().time() - began < 2.0
        assert len(call.agent.caught) == 1  # type: ignore[attr-defined]


async def test_on_enter_may_speak_and_wait_for_it() -> None:
    class Greeting(Plain):
        async def on_enter(self) -> None:
            await self.session.say("Zaza zeze.")

    async with talking(Greeting) as call:
        await asyncio.sleep(3.0)
        assert [m.text_content for m in call.messages] == ["Zaza zeze."]


def test_userdata_is_what_was_given_and_an_error_without_it() -> None:
    async def program() -> None:
        session = AgentSession[dict[str, int]](vad=None, userdata={"a": 1})
        assert session.userdata == {"a": 1}
        with pytest.raises(UsageError, match="userdata"):
            _ = AgentSession[dict[str, int]](vad=None).userdata

    asyncio.run(program())


@pytest.mark.parametrize("slot", ["stt", "llm", "tts", "vad"])
def test_a_model_string_nobody_knows_is_refused_and_says_what_to_write(slot: str) -> None:
    models: dict[str, Any] = {slot: "nonsense"}
    with pytest.raises(UsageError, match=slot):
        AgentSession(**models)


def test_an_unknown_option_is_refused_by_name() -> None:
    call = Call()
    with pytest.raises(UsageError, match="min_dealy"):
        hold(call=call, turn_handling={"endpointing": {"min_dealy": 1.0}})


async def test_a_session_is_started_once() -> None:
    async with talking() as call:
        with pytest.raises(UsageError, match="running already"):
            await call.session.start(call.agent)


def test_the_agents_own_context_is_before_the_conversation() -> None:
    class Knowing(Plain):
        def __init__(self, call: Call) -> None:
            super().__init__(call.caller, call.voice)
            known = ChatContext.empty()
            known.add_message(role="user", content="Known before.", created_at=1.0)
            self._chat_ctx = known

    call = hold(user(0.2, 0.8, "zaza"), agent=Knowing)
    (asked,) = call.agent.asked  # type: ignore[attr-defined]
    assert [m.text_content for m in asked.messages()] == ["Answer.", "Known before.", "zaza"]
    assert [m.text_content for m in call.messages][0] == "zaza"


@pytest.mark.parametrize("whose", ["session", "agent"])
def test_two_speeches_are_kept_apart_by_the_delay_that_is_asked_for(whose: str) -> None:
    asked: dict[str, Any] = {"min_consecutive_speech_delay": 1.5}
    call = hold(
        at(0.1, lambda call: (call.say(sentence(0)), call.say(sentence(10)))),
        agent=plain if whose == "session" else lambda call: modelled(call, **asked),
        **(asked if whose == "session" else {**asked, "min_consecutive_speech_delay": 9.0}),
    )
    check(call)
    gone, heard = call.records("gone")[0].t, call.records("granted")[1].t
    assert heard == gone + 1.5
