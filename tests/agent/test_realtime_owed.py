"""What a realtime model owes at a handover, in a protected reply, and when the call ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import llm

from antiphon import Agent
from tests.scripted import Call, Plain, at, check, hold, sentence, user
from tests.scripted_producers import its_turns, model_of, our_turns, our_words, told
from tests.scripted_realtime import ScriptedRealtime, ScriptedSession

if TYPE_CHECKING:
    from tests.scripted import Making

BOTH = pytest.mark.parametrize("agent", [its_turns, our_turns])
ASKED = user(0.2, 0.8, "zaza zeze")
WORDS = [sentence(100 * n, 8) for n in range(6)]


def plainly(call: Call) -> Agent:
    """An agent without a realtime model."""
    return Plain(call.caller, call.voice)


def with_that_model(call: Call) -> Agent:
    """Another agent with the model that there is."""
    return Agent(instructions="Next.", llm=model_of(call.agent))


@BOTH
@pytest.mark.parametrize("following", [plainly, with_that_model])
def test_words_that_came_before_a_handover_are_answered_by_the_agent_that_takes_over(
    agent: Making, following: Making
) -> None:
    for moment in [0.9 + 0.05 * n for n in range(9)]:
        call = hold(
            ASKED, at(moment, lambda call: call.session.update_agent(following(call))), agent=agent
        )
        check(call)
        assert [m.role for m in call.messages] == ["user", "assistant"], moment


@BOTH
def test_a_turn_over_which_another_agent_of_the_same_model_takes_over_is_answered_whole(
    agent: Making,
) -> None:
    for moment in [0.3 + 0.1 * n for n in range(6)]:
        call = hold(
            ASKED,
            at(moment, lambda call: call.session.update_agent(with_that_model(call))),
            agent=agent,
        )
        check(call)
        assert not told(call, "clear"), moment
        assert [m.role for m in call.messages] == ["user", "assistant"], moment


UTTERANCE = 777  # samples of the frame in which the user says something


class Listening(ScriptedSession):
    """It detects and recognises what is in the frames that it is given, and nothing else."""

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        super().push_audio(frame)
        if frame.samples_per_channel == UTTERANCE:
            asyncio.get_running_loop().call_later(0.1, self._notices)

    def _notices(self) -> None:
        self.emit("input_speech_started", llm.InputSpeechStartedEvent())

    def commit_audio(self) -> None:
        item = self._item
        super().commit_audio()
        heard = llm.InputTranscriptionCompleted(item_id=item, transcript="zaza", is_final=True)
        asyncio.get_running_loop().call_later(0.3, self._tells, heard)

    def _tells(self, heard: llm.InputTranscriptionCompleted) -> None:
        self.emit("input_audio_transcription_completed", heard)


class Listener(ScriptedRealtime):
    def session(self, *, turn_detection_disabled: bool = False) -> Listening:
        self.sessions.append(Listening(self, detects=not turn_detection_disabled))
        return self.sessions[-1]  # type: ignore[return-value]


def hears(samples: int) -> Any:
    frame = rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples)
    return lambda call: call.session.conversation.realtime.hear(frame)


def test_what_was_said_over_a_protected_reply_in_which_the_call_ends_is_in_the_history() -> None:
    def ask(call: Call) -> None:
        call.session.generate_reply(allow_interruptions=False)

    call = hold(
        at(0.1, ask),
        at(0.5, hears(320)),
        at(0.6, hears(UTTERANCE)),
        at(0.7, hears(320)),
        agent=lambda call: Agent(instructions="", llm=Listener(WORDS, call.voice)),
        until=0.8,
    )
    assert call.text("user") == ["zaza"]
    assert call.text("assistant") == call.heard
    session = model_of(call.agent).sessions[-1]
    assert [frame.samples_per_channel for frame in session.frames] == [320, UTTERANCE, 320]


def test_a_call_that_ends_in_a_protected_reply_over_which_nobody_spoke_ends_soon() -> None:
    def ask(call: Call) -> None:
        call.session.generate_reply(allow_interruptions=False)

    call = hold(
        at(0.1, ask),
        at(0.6, hears(320)),
        agent=lambda call: Agent(instructions="", llm=Listener(WORDS, call.voice)),
        until=0.8,
    )
    assert call.messages[-1].interrupted
    assert call.ended < 1.4
    assert not told(call, "commit")


@pytest.mark.parametrize("moment", [1.0, 1.2, 1.3, 1.36, 1.5])
def test_a_model_that_ends_turns_begins_no_answer_while_the_call_ends(moment: float) -> None:
    def late(call: Call) -> Agent:
        agent = its_turns(call)
        model_of(agent).pace.transcribed = 1.5
        return agent

    call = hold(ASKED, agent=late, until=moment)
    check(call)
    assert not [at for at, _ in call.played if at > moment], "it begins to speak to who hangs up"


@pytest.mark.parametrize("begins", [0.2 + 0.05 * n for n in range(8)])
def test_a_protected_reply_is_said_to_its_end_though_a_voice_begins_as_it_is_asked_for(
    begins: float,
) -> None:
    def ask(call: Call) -> None:
        speech = call.session.say(WORDS[5], allow_interruptions=False)
        call.handles.append(speech)

    def make(call: Call) -> Agent:
        return Agent(instructions="", llm=ScriptedRealtime(WORDS, call.voice, supports_say=True))

    call = hold(at(0.2, ask), user(begins, begins + 0.6, "zaza"), agent=make)
    check(call)
    said = [m.text_content for m in call.messages if m.role == "assistant"]
    assert WORDS[5] in said, "it was cut short"
    assert call.messages[-1].role == "assistant"


def test_a_voice_that_outlasts_the_word_of_its_beginning_ends_the_turn_in_a_protected_reply() -> (
    None
):
    """It began before the reply, and over it a voice so short were a cough."""

    def say(call: Call) -> None:
        call.say(WORDS[5], allow_interruptions=False)

    call = hold(user(0.2, 0.6, "zaza"), at(0.5, say), agent=our_turns)
    check(call)
    ended = [record.t for record in call.records("commit")]
    assert ended == [pytest.approx(1.1)]


def test_a_voice_over_which_a_recogniser_takes_over_is_ended_by_its_words() -> None:
    call = hold(
        user(0.72, 1.72, "zaza zeze"),
        at(0.1, lambda call: call.say(WORDS[5])),
        at(0.2, lambda call: call.session.update_agent(our_words(call))),
        agent=our_turns,
    )
    assert "[unheard" not in str([r.detail for r in call.records("commit")])
    assert call.messages[-1].role == "assistant"


@BOTH
def test_the_words_of_each_voice_of_a_turn_are_waited_for_when_the_call_ends(
    agent: Making,
) -> None:
    """Those of the first came before the turn was over, those of the second are late."""

    def slow(call: Call) -> None:
        model_of(call.agent).pace.transcribed = 1.5

    for moment in [1.7 + 0.1 * n for n in range(8)]:
        call = hold(
            user(0.2, 0.6, "zaza", final=0.08),
            at(1.2, slow),
            user(1.0, 1.4, "zeze", final=0.08),
            agent=agent,
            until=moment,
        )
        check(call)
        assert call.text("user") == ["zaza", "zeze"], moment


def test_a_voice_in_which_the_call_ends_is_waited_for_though_words_came_since_it_began() -> None:
    """Those of a voice before it, so short that it was taken for a cough."""

    def make(call: Call) -> Agent:
        made = our_turns(call)
        model_of(made).pace.transcribed, model_of(made).pace.first = 0.2, 0.0
        return made

    for moment in [3.2 + 0.05 * n for n in range(8)]:
        call = hold(
            user(0.2, 0.53, "zaza", final=0.7),
            user(1.63, 1.87, "zizi", final=0.7),
            user(2.68, 3.73, "zozo zuzu"),
            agent=make,
            until=moment,
        )
        check(call)
