"""A user's program type-checks: `make check` reads this file with mypy strict, pyright may too.

What a checker must find out is written with `assert_type`, which does nothing when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_type

from antiphon import (
    Agent,
    AgentSession,
    AgentStateChangedEvent,
    ChatContext,
    ChatMessage,
    CloseEvent,
    FunctionToolsExecutedEvent,
    JobContext,
    ModelSettings,
    RunContext,
    RunResult,
    SpeechCreatedEvent,
    SpeechHandle,
    TurnHandlingOptions,
    UserInputTranscribedEvent,
    function_tool,
    llm,
    mock_tools,
    stt,
    tts,
    vad,
)
from antiphon.voice import AgentTask
from antiphon.voice.turn import EndpointingOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from livekit import rtc

    from antiphon.voice.events import AgentEvent


@dataclass
class Order:
    dishes: list[str]


class GetName(AgentTask[str]):
    """A task with a result."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for the name.")

    @function_tool
    async def named(self, context: RunContext[Order], name: str) -> None:
        """Take the name."""
        assert_type(context.session, AgentSession[Order])
        self.complete(name)


class Waiter(Agent):
    """Tools, hooks and every node, with the types that LiveKit documents."""

    def __init__(self) -> None:
        super().__init__(instructions="Take orders.", tools=[closing_time], tts="local/auto")

    async def on_enter(self) -> None:
        assert_type(self.session.say("Hello."), SpeechHandle)
        name = await GetName()
        assert_type(name, str)

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        turn_ctx.add_message(role="system", content=new_message.text_content or "")

    @function_tool(effect="pure")
    async def price(self, context: RunContext[Order], dish: str) -> float:
        """Tell a price."""
        assert_type(context.userdata, Order)
        assert_type(context.speech_handle, SpeechHandle)
        return float(len(context.userdata.dishes))

    @function_tool
    async def complain(self) -> tuple[Agent, str]:
        """Call the manager."""
        return Agent(instructions="You are the manager."), "Calling the manager."

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterable[stt.SpeechEvent] | None:
        return Agent.default.stt_node(self, audio, model_settings)

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncIterable[str]:
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            if isinstance(chunk, llm.ChatChunk) and chunk.delta and chunk.delta.content:
                yield chunk.delta.content

    def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[rtc.AudioFrame]:
        return Agent.default.tts_node(self, text, model_settings)

    async def transcription_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[str]:
        async for part in text:
            yield part


def wrong() -> None:
    """What a checker must refuse; never called."""
    AgentTask[str](instructions=3)  # type: ignore[arg-type]
    AgentTask[str](instruction="Ask.")  # type: ignore[call-arg]


@function_tool
async def closing_time() -> str:
    """Tell when the kitchen closes."""
    return "At eleven."


async def entrypoint(ctx: JobContext) -> None:
    turns = TurnHandlingOptions(endpointing=EndpointingOptions(min_delay=0.3))
    session = AgentSession[Order](userdata=Order([]), turn_handling=turns, tools=[closing_time])
    assert_type(session.userdata, Order)
    assert_type(session.userdata.dishes, list[str])
    assert_type(session.llm, llm.LLM[Any] | llm.RealtimeModel | None)
    assert_type(session.vad, vad.VAD | None)
    assert_type(session.tts, tts.TTS[Any] | None)
    assert_type(session.current_agent, Agent)
    assert_type(session.options.endpointing, EndpointingOptions)

    @session.on("user_input_transcribed")
    def heard(event: UserInputTranscribedEvent) -> None:
        assert_type(event.transcript, str)

    def created(event: SpeechCreatedEvent) -> None:
        assert_type(event.speech_handle, SpeechHandle)

    def state(event: AgentStateChangedEvent) -> None:
        session.update_options(endpointing_opts={"min_delay": 0.2})

    def tools_ran(event: FunctionToolsExecutedEvent) -> None:
        event.cancel_tool_reply()

    def closed(event: CloseEvent) -> None:
        session.off("agent_state_changed", state)

    def anything(event: AgentEvent) -> None:
        assert_type(event.created_at, float)

    session.on("speech_created", created)
    session.on("agent_state_changed", state)
    session.on("function_tools_executed", tools_ran)
    session.on("close", closed)
    session.on("error", anything)
    await session.start(Waiter(), room=ctx.room, record=False)
    handle = await session.generate_reply(instructions="Greet.", tool_choice="none")
    assert_type(handle, SpeechHandle)
    assert_type(await session.commit_user_turn(), str)


async def assertions(session: AgentSession[Order]) -> None:
    """Runs, their outputs, their assertions."""
    begun = await session.start(Waiter(), capture_run=True)
    assert_type(begun, RunResult[None])
    assert_type(await session.start(Waiter(), record=False), None)
    handoff = begun.expect.next_event(type="agent_handoff").event()
    assert_type(handoff.new_agent, Agent)
    begun.expect[0].is_agent_handoff(new_agent_type=Waiter)
    begun.expect[:].contains_agent_handoff(new_agent_type=Waiter)
    begun.expect.skip_next_event_if(type="agent_handoff", new_agent_type=Waiter)
    with mock_tools(Waiter, {"price": lambda dish: 12}):
        result = await session.run(user_input="Ada", output_type=str)
    assert_type(result.final_output, str)
    message = result.expect.next_event().is_message(role="assistant")
    assert_type(message.event().item, ChatMessage)
    mock_tools(Waiter, {}, session=session)


def test_the_typed_program_is_one_that_can_be_made() -> None:
    session = AgentSession[Order](vad=None, userdata=Order(["soup"]))
    assert session.userdata.dishes == ["soup"]
    assert {tool.id for tool in Waiter().tools} == {"closing_time", "price", "complain"}
    assert [tool.id for tool in GetName().tools] == ["named"]
