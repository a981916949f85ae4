"""One long conversation on each, and turns that the session ends itself."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, AgentSession, function_tool
from antiphon.conformance import gateway
from antiphon.conformance.checks import SECOND, Waiter
from antiphon.simulate import ScriptedTTS, ScriptedVAD, coughs, interrupts, listens, pauses, says
from tests.realtime.rows import CLIENTS, GEMINI, INFERENCE, OPENAI, XAI, Row
from tests.realtime.script import Answer, Made, Model
from tests.realtime.talking import Talk, talking
from tests.realtime.test_conversations import FIRST, two_turns

EVERY = pytest.mark.parametrize("row", CLIENTS, ids=str)

SAID = ("user", "assistant")
ROUNDS = 8  # of four turns


def waiting(made: Made) -> Answer:
    """What the model of the long conversation answers to what it was asked."""
    role, last = made.asked[-1]
    if role == "result":
        return Answer("It is done. Anything else?")
    if "table" in last:
        return Answer(calls=(("book", {"day": "Friday", "people": 4}),))
    if "story" in last:
        return Answer(endless=True)
    return Answer("Certainly. The kitchen is open until ten.")


async def rounds(talk: Talk, times: int) -> None:
    for _ in range(times):
        await talk.play(says("when does the kitchen close"))
        await talk.play(says("then book a table"), responses=2)
        await talk.begins(says("tell me a story"))
        await talk.play(interrupts("thank you that will do", into=2.3))


@EVERY
async def test_a_long_conversation_keeps_both_histories_in_step(row: Row) -> None:
    waiter = Waiter()
    async with talking(row, Model(script=waiting), agent=waiter, faults=True) as talk:
        await rounds(talk, ROUNDS // 2)
        talk.model.lose()
        await talk.call.play(pauses(5.0))
        await rounds(talk, ROUNDS // 2)
    assert len(waiter.booked) == ROUNDS
    assert len(talk.model.connections) == 2
    turns = ["user", "assistant", "user", "call", "result", "assistant", *["user", "assistant"] * 2]
    ours, theirs = talk.history()[:-1], talk.made[-1].asked
    assert [role for role, _ in talk.history()] == turns * ROUNDS
    assert [role for role, _ in theirs] == (turns * ROUNDS)[:-1]
    said = [(mine, its) for mine, its in zip(ours, theirs, strict=True) if mine[0] in SAID]
    if row.truncates:
        assert [mine for mine, _ in said] == [its for _, its in said]
        assert len(talk.model.truncated) == ROUNDS
    else:  # its server keeps what it has made, though less was heard
        assert [mine for mine, _ in said if mine[0] == "user"] == [
            its for _, its in said if its[0] == "user"
        ]
        assert all(its.startswith(mine) for (_, mine), (_, its) in said)


async def test_the_session_ends_turns_where_it_is_to() -> None:
    """Its detector and its endpointing, and the model is asked when the turn is over."""
    given = {"turn_detection": None}
    model = Model(FIRST, SECOND)
    async with talking(OPENAI, model, given=given, vad=ScriptedVAD()) as talk:
        await two_turns(talk)
    assert talk.model.asked("input_audio_buffer.commit") == 2
    assert talk.model.asked("response.create") == 2


async def test_a_cough_holds_a_reply_and_it_goes_on_where_the_session_ends_turns() -> None:
    given = {"turn_detection": None}
    async with talking(OPENAI, Model(FIRST), given=given, vad=ScriptedVAD()) as talk:
        await talk.begins(says("a table for four please"))
        await talk.call.play(coughs(0.3, into=1.5), pauses(2.0), listens(gap=2.0))
    assert talk.call.said("agent") == [FIRST]
    assert talk.call.records("pause")
    assert talk.model.truncated == []
    assert talk.model.asked("response.cancel") == 0
    assert len(talk.call.sound) == sum(talk.model.voice.lengths)


@pytest.mark.parametrize("into", [0.21, 0.5, 1.37, 2.03, 3.3])
@pytest.mark.parametrize("ours", [False, True], ids=["server", "session"])
async def test_a_cut_is_told_to_the_model_within_a_frame_of_what_was_heard(
    into: float, ours: bool
) -> None:
    given = {"turn_detection": None} if ours else {}
    vad: dict[str, Any] = {"vad": ScriptedVAD()} if ours else {}
    model = Model(Answer(endless=True), SECOND)
    async with talking(OPENAI, model, given=given, **vad) as talk:
        await talk.begins(says("count for me"))
        await talk.play(interrupts("stop that is enough", into=into))
    ((_, milliseconds, _),) = model.truncated
    assert abs(milliseconds - talk.heard_of(0)) <= 20
    heard = [text for role, text in talk.history() if role == "assistant"]
    assert talk.made[1].asked[1:-1] == [("assistant", text) for text in heard[:-1]]


async def test_text_of_the_model_is_spoken_by_the_voice_of_the_session() -> None:
    given = {"modalities": ["text"]}
    tts = ScriptedTTS()
    async with talking(OPENAI, Model(FIRST, SECOND), given=given, tts=tts) as talk:
        await talk.play_text(says("a table for four please"))
        await talk.play_text(says("thank you"))
    assert talk.call.said("agent") == [FIRST, SECOND]
    assert talk.made[1].asked == talk.history()[:3]


async def test_xai_says_a_given_text_itself() -> None:
    async with talking(XAI, Model(SECOND)) as talk:
        await talk.call.session.say("Good day to you.")
        await talk.play(says("thank you"))
    assert talk.call.said("agent") == ["Good day to you.", SECOND]


class Second(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are the second.")

    @function_tool
    async def pay(self) -> str:
        """Pay."""
        return "paid"


class First(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are the first.")

    @function_tool
    async def hand_over(self) -> tuple[Agent, str]:
        """Hand over."""
        return Second(), "handed over"


@EVERY
async def test_another_agent_takes_over_with_what_it_is_told(row: Row) -> None:
    answers = Answer(calls=(("hand_over", {}),)), FIRST, SECOND
    async with talking(row, Model(*answers), agent=First()) as talk:
        await talk.call.play(says("the other please"), pauses(5.0), listens(gap=1.0))
        await talk.play(says("thank you"))
    last = talk.made[-1]
    assert last.instructions.endswith("You are the second.")
    assert last.tools == ["pay"]
    assert talk.call.said("agent")[-1] in (FIRST, SECOND)


async def test_a_string_names_a_model_behind_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)
    model = Model(FIRST)

    def session(url: str) -> AgentSession[None]:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{url}/v1")
        return AgentSession(llm="openai/gpt-realtime")

    async with talking(INFERENCE, model, session=session) as talk:
        await talk.play(says("a table for four please"))
    assert talk.call.said("agent") == [FIRST]


async def test_words_of_the_user_that_come_late_stand_where_the_turn_began() -> None:
    model = Model(FIRST, SECOND)
    model.transcribing = 3.0
    async with talking(OPENAI, model) as talk:
        await talk.play(says("a table for four please"))
        await talk.play(says("thank you"))
        await talk.call.play(pauses(3.0))
    assert [role for role, _ in talk.history()] == ["user", "assistant"] * 2
    assert talk.history()[0] == ("user", "a table for four please")


async def test_gemini_is_interrupted_by_what_is_typed() -> None:
    async with talking(GEMINI, Model(Answer(endless=True), SECOND)) as talk:
        await talk.begins(says("count for me"))
        await talk.call.play(pauses(2.0))
        await talk.call.session.interrupt()
        result = await talk.call.session.run(user_input="stop")
        assert result.events
        await talk.call.play(listens(gap=1.0))
    assert talk.call.said("agent")[1:] == [SECOND]
    assert ("user", "stop") in talk.made[1].asked
