"""What an application asks of a session with a realtime model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc
from livekit.agents import llm, metrics

from antiphon import Agent, AgentSession, AgentTask, function_tool
from antiphon.simulate import Caller, Calls, ScriptedTTS, calls
from antiphon.simulated_caller import CALLER
from tests.scripted import Call, Plain, at, check, hold, sentence, user
from tests.scripted_producers import model_of, told
from tests.scripted_realtime import ScriptedRealtime

if TYPE_CHECKING:
    from tests.scripted import Making

WORDS = [sentence(100 * n) for n in range(8)]
ASKED = user(0.2, 0.8, "zaza zeze")
BOTH = pytest.mark.parametrize("detects", [True, False])


def spoken(replies: Any = WORDS, *, agent: type[Agent] = Agent, **can: Any) -> Making:
    def make(call: Call) -> Agent:
        return agent(instructions="Answer.", llm=ScriptedRealtime(replies, call.voice, **can))

    return make


def texts(context: llm.ChatContext) -> list[str]:
    return [item.text_content or "" for item in context.items if isinstance(item, llm.ChatMessage)]


@BOTH
def test_what_is_typed_is_told_to_the_model_before_it_is_asked(detects: bool) -> None:
    def ask(call: Call) -> None:
        call.session.generate_reply(user_input="Typed.", instructions="Be brief.")

    call = hold(at(0.1, ask), agent=spoken(turn_detection=detects))
    assert [m.role for m in call.messages] == ["user", "assistant"]
    session = model_of(call.agent).sessions[-1]
    kinds = [entry[0] for entry in session.heard]
    assert kinds.index("reply") > max(n for n, kind in enumerate(kinds) if kind == "context")
    assert told(call, "reply")[0][1] == "Be brief."
    assert texts(session.chat_ctx) == ["Typed.", WORDS[0]]


@BOTH
def test_a_voice_says_what_the_model_cannot_and_the_model_knows_it(detects: bool) -> None:
    def make(call: Call) -> Agent:
        model = ScriptedRealtime(WORDS, call.voice, turn_detection=detects)
        return Agent(instructions="Answer.", llm=model, tts=ScriptedTTS(voice=call.voice))

    call = hold(at(0.1, lambda call: call.say(WORDS[7])), user(3.0, 3.6, "zizi"), agent=make)
    check(call)
    assert texts(model_of(call.agent).sessions[-1].chat_ctx)[0] == WORDS[7]
    assert call.messages[-1].text_content == WORDS[0]


class Host(Agent):
    """Hands over to what it is given."""

    def __init__(self, following: Agent, **models: Any) -> None:
        super().__init__(instructions="Host.", **models)
        self.following = following

    @function_tool
    async def hand_over(self) -> Agent:
        """Hand over."""
        return self.following


@BOTH
def test_a_realtime_agent_hands_over_to_a_pipeline_and_back(detects: bool) -> None:
    def make(call: Call) -> Agent:
        model = ScriptedRealtime(
            [calls("hand_over"), *WORDS[:2]], call.voice, turn_detection=detects
        )
        last = Agent(instructions="Last.", llm=model)
        agents.append(last)
        return Host(Plain(call.caller, call.voice, WORDS[4:]), llm=model)

    agents: list[Agent] = []

    call = hold(
        ASKED,
        user(3.0, 3.6, "zizi"),
        at(7.0, lambda call: call.session.update_agent(agents[0])),
        user(8.0, 8.6, "zuzu"),
        agent=make,
    )
    check(call)
    assert [m.text_content for m in call.messages if m.role == "assistant"] == [
        WORDS[4],
        WORDS[0],
    ]
    model = model_of(call.agent)
    assert [session.closed for session in model.sessions] == [True, True]
    assert [session.instructions for session in model.sessions] == ["Host.", "Last."]


@BOTH
def test_two_agents_of_one_model_share_its_session_and_not_its_memory(detects: bool) -> None:
    def make(call: Call) -> Agent:
        model = ScriptedRealtime(
            [WORDS[0], calls("hand_over"), WORDS[1]], call.voice, turn_detection=detects
        )
        return Host(Agent(instructions="Next.", llm=model), llm=model)

    call = hold(ASKED, user(3.0, 3.6, "zizi"), user(6.0, 6.6, "zuzu"), agent=make)
    check(call)
    [session] = model_of(call.agent).sessions
    assert session.instructions == "Next."
    assert WORDS[0] not in texts(session.chat_ctx)
    assert call.messages[-1].text_content == WORDS[1]


class Question(AgentTask[str]):
    async def on_enter(self) -> None:
        self.session.generate_reply()

    @function_tool
    async def over(self) -> None:
        """Done."""
        self.complete("green")


class Asker(Agent):
    @function_tool
    async def ask(self) -> str:
        """Ask."""
        return await Question(instructions="Ask for a colour.")


@BOTH
def test_a_task_borrows_the_model_and_gives_it_back(detects: bool) -> None:
    replies: Any = [calls("ask"), WORDS[0], calls("over"), WORDS[1]]
    call = Call()
    model = ScriptedRealtime(replies, call.voice, turn_detection=detects)
    hold(
        ASKED,
        user(4.0, 4.6, "zizi"),
        agent=lambda _: Asker(instructions="Answer."),
        call=call,
        llm=model,
    )
    check(call)
    assert [m.text_content for m in call.messages if m.role == "assistant"] == WORDS[:2]
    told_of = [text for _, text in told(call, "instructions")]
    assert told_of == ["Answer.", "Ask for a colour.", "Answer."]
    items = call.session.history.items
    assert "green" in [i.output for i in items if i.type == "function_call_output"]


def test_a_conversation_that_is_replaced_is_replaced_at_the_model() -> None:
    running: list[asyncio.Future[None]] = []

    def forget(call: Call) -> None:
        context = llm.ChatContext.empty()
        context.add_message(role="user", content="Only this.", id="only")
        running.append(asyncio.ensure_future(call.agent.update_chat_ctx(context)))

    call = hold(ASKED, at(4.0, forget), agent=spoken(), until=6.0)
    assert texts(model_of(call.agent).sessions[-1].chat_ctx) == ["Only this."]
    assert running[0].done()


async def test_a_run_without_sound_gives_its_events() -> None:
    CALLER.set(Caller())
    model = ScriptedRealtime([Calls(WORDS[0]).and_calls("look"), WORDS[1]])

    class Clerk(Agent):
        @function_tool
        async def look(self) -> str:
            """Look."""
            return "here"

    async with AgentSession[Any](vad=None) as session:
        await session.start(Clerk(instructions="", llm=model))
        result = await session.run(user_input="Where?")
        result.expect.next_event().is_message(role="assistant")
        result.expect.next_event().is_function_call(name="look")
        result.expect.next_event().is_function_call_output(output="here")
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()
    assert model.sessions[0].closed


def test_what_the_user_shows_is_shown_to_the_model() -> None:
    picture = rtc.VideoFrame(2, 2, rtc.VideoBufferType.RGBA, bytes(16))
    call = hold(
        at(0.5, lambda call: call.session.conversation.realtime.see(picture)), agent=spoken()
    )
    assert model_of(call.agent).sessions[-1].pictures == [picture]


@BOTH
def test_what_the_model_used_and_how_long_it_took_is_told(detects: bool) -> None:
    call = hold(ASKED, agent=spoken(turn_detection=detects))
    [used] = call.session.usage.model_usage
    assert isinstance(used, metrics.LLMModelUsage)
    assert (used.model, used.input_tokens, used.output_tokens) == ("scripted-realtime", 10, 20)
    said = call.messages[-1].metrics
    assert said["llm_metadata"]["model_name"] == "scripted-realtime"
    assert 0.2 < said["e2e_latency"] < 2.0
    assert said["provider_request_ids"]
    [delay] = call.records("delay")
    parts: Any = delay.detail["parts"]
    assert sum(parts.values()) == pytest.approx(delay.detail["total"])


def test_a_duplex_model_is_taken_where_a_realtime_model_is() -> None:
    class Duplex(llm.DuplexModel):
        def __init__(self) -> None:
            can = llm.DuplexCapabilities(
                user_transcription=True,
                auto_tool_reply_generation=True,
                mutable_chat_context=True,
                mutable_instructions=True,
                mutable_tools=True,
            )
            super().__init__(capabilities=can)

        def session(self) -> Any:
            raise NotImplementedError

        async def aclose(self) -> None:
            pass

    session: AgentSession[Any] = AgentSession(llm=Duplex())
    assert isinstance(session.llm, llm.DuplexRealtimeAdapter)
    assert isinstance(Agent(instructions="", llm=Duplex()).llm, llm.DuplexRealtimeAdapter)


@BOTH
def test_a_program_sees_which_speech_nobody_asked_for(detects: bool) -> None:
    ask = at(4.0, lambda call: call.handles.append(call.session.generate_reply()))
    call = hold(ASKED, ask, agent=spoken(turn_detection=detects))
    check(call)
    asked = [event.user_initiated for event in call.reported("speech_created")]
    assert asked == [not detects, True]


def test_an_agent_shows_the_session_of_its_model_while_it_is_in_charge() -> None:
    shown: list[object] = []

    def look(call: Call) -> None:
        shown.append(call.agent.realtime_llm_session)
        with pytest.raises(RuntimeError, match="duplex"):
            _ = call.agent.duplex_session

    call = hold(at(0.5, look), agent=spoken())
    assert shown == model_of(call.agent).sessions
    with pytest.raises(RuntimeError, match="no session with a realtime model now"):
        _ = call.agent.realtime_llm_session
    plain = hold(agent=lambda call: Plain(call.caller, call.voice), until=1.0)
    with pytest.raises(RuntimeError):
        _ = plain.agent.realtime_llm_session


def test_what_a_model_says_as_given_need_not_be_remembered() -> None:
    def say(call: Call) -> None:
        call.handles.append(call.session.say(WORDS[5], add_to_chat_ctx=False))

    call = hold(at(0.5, say), agent=spoken(supports_say=True, per_response_tool_choice=False))
    assert call.heard == WORDS[5].split()
    assert call.messages == []
    assert [names for _, names in told(call, "tools")] == []


def test_the_measures_of_what_a_model_speaks_name_no_voice_that_was_not_asked() -> None:
    def make(call: Call) -> Agent:
        model = ScriptedRealtime(WORDS, call.voice)
        return Agent(instructions="Answer.", llm=model, tts=ScriptedTTS(voice=call.voice))

    call = hold(ASKED, at(4.0, lambda call: call.say(WORDS[7])), agent=make)
    check(call)
    spoken_by_model, said = [m.metrics for m in call.messages if m.role == "assistant"]
    assert not [name for name in spoken_by_model if name.startswith("tts")]
    assert said["tts_metadata"]["model_name"]


def test_a_model_knows_how_much_of_its_text_was_shown_where_nobody_speaks() -> None:
    def mute(call: Call) -> None:
        call.session.output.set_audio_enabled(False)
        call.session.generate_reply()

    call = hold(
        at(0.1, mute), at(0.43, lambda call: call.session.interrupt()), agent=spoken(), until=3.0
    )
    [message] = call.messages
    assert message.interrupted
    assert WORDS[0].startswith(message.text_content or "-")
    [told_of] = texts(model_of(call.agent).sessions[-1].chat_ctx)
    assert told_of.strip() == message.text_content


@BOTH
def test_a_tool_that_takes_itself_away_does_not_make_the_model_forget(detects: bool) -> None:
    class Fickle(Agent):
        @function_tool
        async def once(self) -> str:
            """Only once."""
            await self.update_tools([])
            return "done"

    replies: Any = [Calls(WORDS[0]).and_calls("once"), WORDS[1]]
    call = hold(ASKED, agent=spoken(replies, agent=Fickle, turn_detection=detects))
    check(call)
    assert not [gone for _, _, gone in told(call, "context") if gone]
    assert call.text("assistant") == f"{WORDS[0]} {WORDS[1]}".split()


@BOTH
@pytest.mark.parametrize("moment", [0.5, 1.0, 1.2, 1.36, 1.6, 2.5])
def test_a_model_remembers_what_is_being_said_while_its_conversation_is_changed(
    detects: bool, moment: float
) -> None:
    running: list[asyncio.Future[None]] = []

    def add(call: Call) -> None:
        context = call.agent.chat_ctx.copy()
        context.add_message(role="user", content="Added.")
        running.append(asyncio.ensure_future(call.agent.update_chat_ctx(context)))

    def make(call: Call) -> Agent:
        model = ScriptedRealtime(WORDS, call.voice, turn_detection=detects)
        model.pace.transcribed = 2.0
        return Agent(instructions="Answer.", llm=model)

    call = hold(ASKED, at(moment, add), at(5.0, lambda call: None), agent=make)
    assert running[0].done()
    session = model_of(call.agent).sessions[-1]
    assert not [gone for _, _, gone in told(call, "context") if gone]
    assert sorted(texts(session.chat_ctx)) == sorted(["", WORDS[0], "Added."])
