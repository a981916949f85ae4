"""What users of the reference suffered (livekit_api.md 3.4), each by name, and not here.

The others of that list have their promise's own file: a resumed syllable (a cough does not end a
reply), words said during an uninterruptible speech and words lost to a failing hook (no word of
the user is lost), the position that a console reports (history is what was heard).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from tests.scripted import Call, Plain, at, check, hold, sentence, user
from tests.scripted_tools import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ONE, TWO, THREE = sentence(0), sentence(10), sentence(20)


def test_words_too_few_to_interrupt_do_not_lead_the_next_utterance() -> None:
    long = " ".join(sentence(first) for first in (0, 10, 20, 30))
    call = hold(
        user(0.2, 0.8, "zaza zeze zizi"),
        user(2.5, 2.9, "zozo"),
        user(9.0, 9.6, "zuzu zaze zazi"),
        agent=lambda call: Plain(call.caller, call.voice, [long, THREE, TWO]),
        turn_handling={"interruption": {"min_words": 2}},
    )
    check(call)
    said = [message.text_content for message in call.messages if message.role == "user"]
    assert said == ["zaza zeze zizi", "zozo", "zuzu zaze zazi"]


def test_a_word_shorter_than_min_duration_only_ends_a_reply_at_the_end_of_the_turn() -> None:
    long = " ".join(sentence(first) for first in (0, 10, 20, 30))
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(2.5, 2.55, "zeze", final=0.08),
        agent=lambda call: Plain(call.caller, call.voice, [long, long]),
    )
    assert call.text("assistant") == call.heard
    [cut] = call.records("cut")
    assert cut.detail["why"] == "turn"
    assert cut.t == 2.55 + 0.5


def test_a_queued_reply_knows_what_was_said_before_it() -> None:
    call = hold(
        at(0.1, lambda call: call.say(ONE)),
        at(0.2, lambda call: call.handles.append(call.session.generate_reply())),
        agent=lambda call: Caller(call, [[TWO]]),
    )
    check(call)
    [request] = call.agent.requests  # type: ignore[attr-defined]
    assert [m.text_content for m in request.context.messages()] == ["Answer.", ONE]


class Stalls(Plain):
    """Its voice says one word and then nothing more, for ever."""

    async def tts_node(self, text: Any, model_settings: Any) -> AsyncGenerator[Any, None]:
        async with aclosing(self.voice.speak(text)) as frames:
            yield await anext(frames)
        await asyncio.sleep(1e6)


def test_an_agent_whose_voice_stalls_does_not_speak_in_silence_for_ever() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Stalls(call.caller, call.voice, [ONE]),
    )
    assert len(call.reported("error")) == 1
    assert call.text("assistant") == call.heard == ONE.split()[:1]
    last = call.reported("agent_state_changed")[-1]
    assert last.new_state == "listening"


def test_something_added_to_history_in_between_does_not_cost_the_prepared_answer() -> None:
    def note(call: Call) -> None:
        call.session.history.add_message(role="system", content="a note")

    call = hold(
        user(0.2, 0.8, "zaza"),
        at(1.2, note),
        agent=lambda call: Caller(call, [[ONE], [TWO]]),
    )
    check(call)
    assert len(call.agent.requests) == 1  # type: ignore[attr-defined]
    assert call.heard == ONE.split()
