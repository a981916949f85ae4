"""The agents of random conversations: their models and tools do what the number says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from antiphon import (
    Agent,
    AgentTask,
    RunContext,
    StopResponse,
    ToolError,
    function_tool,
)
from tests import scripted_producers
from tests.scripted import Plain, sentence

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon import ModelSettings
    from tests.behaviours.fuzzed import Fuzzed
    from tests.scripted_realtime import ScriptedRealtime


class Tools(Agent):
    """What agents do when they are called, as the number says."""

    run: Fuzzed

    async def on_enter(self) -> None:
        if self.run.dice.random() < 0.3:
            self.session.say(sentence(5000 + 20 * self.run.asked, 5))

    @function_tool
    async def quick(self) -> str:
        """Answers at once."""
        return "quick"

    @function_tool
    async def slow(self) -> str:
        """Answers late."""
        await asyncio.sleep(self.run.dice.choice([0.3, 1.0, 4.0]))
        return "slow"

    @function_tool(effect="pure")
    async def pure(self) -> str:
        """May run on a guess."""
        await asyncio.sleep(self.run.dice.choice([0.0, 0.5]))
        return "pure"

    @function_tool(effect="irrevocable")
    async def final(self) -> str:
        """Must be announced."""
        return "final"

    @function_tool
    async def refuses(self) -> str:
        """Says no."""
        raise ToolError("no")

    @function_tool
    async def fails(self) -> object:
        """Gives what nobody can read."""
        return object() if self.run.dice.random() < 0.5 else {"a": [1, {2}]}

    @function_tool
    async def stops(self) -> None:
        """Asks for no reply."""
        raise StopResponse

    @function_tool
    async def talks(self, context: RunContext[Any]) -> str:
        """Says something, and may wait for it."""
        speech = context.session.say(sentence(7000 + 20 * self.run.asked, 4))
        if self.run.dice.random() < 0.5:
            await speech
        return "talked"

    @function_tool
    async def asks(self) -> str:
        """Has a task ask the user."""
        return await Asking(self.run)

    @function_tool
    async def hands_over(self) -> Agent:
        """Hands over."""
        return self.run.agent()

    @function_tool
    async def hands_over_and_tells(self) -> tuple[Agent, str]:
        """Hands over, with a result."""
        return self.run.agent(), "handed over"

    @function_tool
    async def updates_agent(self, context: RunContext[Any]) -> str:
        """Asks the session to hand over."""
        context.session.update_agent(self.run.agent())
        return "soon"

    @function_tool
    async def waits_for_itself(self, context: RunContext[Any]) -> str:
        """Waits for what was said before it; and is refused what would never end."""
        await context.wait_for_playout()
        try:
            await context.speech_handle
        except Exception as error:
            raise ToolError(type(error).__name__) from None
        return "never"

    @function_tool
    async def reports(self, context: RunContext[Any]) -> str:
        """Goes on in the background, and says how far it is."""
        for _ in range(self.run.dice.choice([1, 1, 2])):
            await context.update("on its way")
            await asyncio.sleep(self.run.dice.choice([0.2, 1.0, 3.0]))
        if self.run.dice.random() < 0.2:
            raise ToolError("in vain")
        return "reported"

    @function_tool
    async def fills(self, context: RunContext[Any]) -> str:
        """Is slow, and says so meanwhile."""
        async with context.with_filler(sentence(8000 + 20 * self.run.asked, 3), delay=0.3):
            await asyncio.sleep(self.run.dice.choice([0.1, 1.5]))
        return "filled"

    @function_tool
    async def comes_forward(self, context: RunContext[Any]) -> str:
        """Reports, and then asks the user."""
        await context.update("on its way")
        async with context.foreground():
            return await Asking(self.run)

    @function_tool(flags=llm.ToolFlag.CANCELLABLE)
    async def can_be_cancelled(self, context: RunContext[Any]) -> str:
        """May be cancelled by the model while it goes on in the background."""
        await context.update("on its way")
        await asyncio.sleep(2.0)
        return "done"

    @function_tool(on_duplicate="reject")
    async def only_once(self, context: RunContext[Any]) -> str:
        """One at a time."""
        await context.update("on its way")
        await asyncio.sleep(1.0)
        return "once"

    @function_tool(on_duplicate="replace")
    async def only_the_latest(self, context: RunContext[Any]) -> str:
        """The latest one counts."""
        await context.update("on its way")
        await asyncio.sleep(1.0)
        return "latest"


class Worker(Tools, Plain):
    """An agent whose nodes are its own."""

    def __init__(self, run: Fuzzed) -> None:
        super().__init__(run.call.caller, run.call.voice, ())
        self.run = run

    async def llm_node(  # type: ignore[override]
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str | llm.ChatChunk, None]:
        run = self.run
        parts, fate = run.parts(), run.dice.random()
        await asyncio.sleep(run.dice.choice([0.0, 0.05, 0.3]))
        if fate < run.badness / 2:
            raise LookupError("as the dice said")
        for part in parts:
            if isinstance(part, str):
                for token in part.split():
                    yield token + " "
                    await asyncio.sleep(0.02)
            elif model_settings.tool_choice != "none":
                delta = llm.ChoiceDelta(role="assistant", tool_calls=[part])
                yield llm.ChatChunk(id="fuzzed", delta=delta)
            if fate < run.badness:
                raise ConnectionError("the model is gone")


class Spoken(Tools, scripted_producers.Spoken):
    """One with a realtime model."""

    def __init__(self, run: Fuzzed, model: ScriptedRealtime) -> None:
        super().__init__(run.call, model)
        self.run = run


class Beside(Spoken, scripted_producers.Beside):
    """And a recogniser beside it."""


class Asking(AgentTask[str]):
    """Asks, and takes the next turn for the answer, or gives up."""

    def __init__(self, run: Fuzzed) -> None:
        super().__init__(instructions="Ask.")
        self.run = run
        self.caller, self.voice = run.call.caller, run.call.voice

    stt_node = Plain.stt_node
    tts_node = Plain.tts_node

    async def on_enter(self) -> None:
        speech = self.session.say(sentence(6000 + 20 * self.run.asked, 4))
        if self.run.dice.random() < 0.3:
            await speech
            self.complete(ToolError("nobody answers"))

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        if not self.done():
            self.complete(new_message.text_content or "")
        raise StopResponse
