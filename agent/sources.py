"""Producers for the reply engine: a generated answer, said text, said audio.

They differ only in where text and sound come from; the fourth is `realtime_reply`. What they run is
foreign code, in the reply's leaf tasks.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import TYPE_CHECKING, Final, Literal

from livekit.agents import llm, utils

from antiphon import session_options
from antiphon.function_tools import effect_of
from antiphon.nodes.edge import items, texts
from antiphon.nodes.llm import Answer, continued, thoughts
from antiphon.nodes.markers import Markers, visible
from antiphon.nodes.tts import sounds, timed
from antiphon.pipeline.calls import Call
from antiphon.pipeline.foreign import lend
from antiphon.pipeline.source import VoiceDisabled
from antiphon.pipeline.streams import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from livekit import rtc
    from livekit.agents import ModelSettings, tts

    from antiphon.agent import Agent
    from antiphon.memory import Modality, Told
    from antiphon.nodes.polish import Polish
    from antiphon.pipeline.aligned import Timed
    from antiphon.pipeline.ledger import Sound
    from antiphon.pipeline.source import Chunker, Thought
    from antiphon.pipeline.step import Step


logger = logging.getLogger("antiphon.sources")

TEXTS_AHEAD: Final = 1_000  # texts beside ready audio, which nobody waits for

# What a program does wrong will go wrong again; everything else is a provider that died.
MISTAKES: Final = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError),
    *(RuntimeError, TypeError, ValueError),
)


@dataclass(frozen=True, slots=True)
class Voice:
    """How an agent speaks here: its nodes, the transforms, the chunks, the output's rate, and the
    markers that its voice knows, where the model may use them."""

    agent: Agent
    settings: ModelSettings
    rate: int
    polish: Polish
    chunker: Callable[[], Chunker]
    markup: tts.TTS.Markup | None = None


class Said:
    """Text of the application's: `say("…")` or `say(an async iterable of text)`."""

    early = True  # what was said before does not matter to it

    def __init__(
        self, voice: Voice, text: str | AsyncIterable[str], *, name: str, remembered: bool = True
    ) -> None:
        self.id = utils.shortuuid("item_")  # in the history; like LiveKit's
        self.answer = Answer()
        self.name = name  # in the timeline
        self.remembered = remembered  # in the history
        self.voice = voice
        self.modality: Modality = "audio"  # of what it answers
        self._text = text
        self._markers = None if voice.markup is None else Markers(voice.markup)

    def think(self) -> AsyncIterable[Thought]:
        given = self._think()
        return given if self._markers is None else self._markers.hide(given)

    def _think(self) -> AsyncGenerator[Thought, None]:
        return texts(lambda: self._text, self.name)

    @property
    def voiced_by(self) -> Literal["tts", "llm"]:
        return "tts"

    def chunker(self) -> Chunker:
        return self.voice.chunker()

    async def polish(self, chunk: str) -> str:
        if self._markers is None:
            return await self.voice.polish(chunk)
        return self._markers.hidden(await self.voice.polish(self._markers.told(chunk)))

    def speak(self, texts: AsyncIterable[str]) -> AsyncGenerator[Sound, None]:
        return sounds(lambda: self._voiced(texts), self.voice.rate)

    async def _voiced(self, texts: AsyncIterable[str]) -> object:
        agent = self.voice.agent
        if agent.tts is None and not agent._overrides("tts_node"):
            raise VoiceDisabled
        frames = agent.tts_node(self._telling(texts), self.voice.settings)
        if isawaitable(frames):
            frames = await frames
        if frames is None:
            raise VoiceDisabled
        return frames

    def messages(self, step: Step) -> list[tuple[str, str]]:
        """What was heard of it, as history has it: each message by its name."""
        marked = step.with_marks()
        return [(self.id, marked if self._markers is None else self._markers.told(marked))]

    def read(self, message: str) -> str:
        """A message of it without what is only for the voice."""
        return message if self._markers is None else visible(message)

    def stop(self) -> None:
        """It is over before its end. May be called again."""

    def settled(self, step: Step) -> None:
        """And now it is known what was heard of it."""

    @property
    def aligned(self) -> bool:
        agent = self.voice.agent
        return agent._overrides("transcription_node") and session_options.aligned(agent)

    def show(self, words: AsyncIterable[str | Timed]) -> AsyncIterable[str] | None:
        agent, settings, node = self.voice.agent, self.voice.settings, "transcription_node"
        if not agent._overrides(node):
            return None
        made = texts(
            lambda: agent.transcription_node(self._telling(lend(timed(words))), settings), node
        )
        return made if self._markers is None else self._markers.hide_text(made)

    def _telling(self, texts: AsyncIterable[str]) -> AsyncIterable[str]:
        """For a node: with the markers that the model wrote."""
        return texts if self._markers is None else self._markers.tell(texts)


class Generated(Said):
    """The language model's reply; the context is taken when the model is called."""

    early = False

    def __init__(
        self,
        voice: Voice,
        context: Callable[[], llm.ChatContext],
        tools: llm.ToolContext,
        *,
        name: str,
        on_death: Callable[[Exception], None],
    ) -> None:
        super().__init__(voice, "", name=name)
        self._on_death = on_death  # told when the model dies in the middle
        self.tools = tools
        self.named = tools  # those of `tools` that the node names to its model, and what it adds
        self.given = llm.ChatContext.empty()  # what the model was called with
        self._told: Told = ""  # the agent's instructions in it
        self._context = context

    def next(
        self, settings: ModelSettings, refreshed: Callable[[llm.ChatContext, Told], llm.ChatContext]
    ) -> Generated:
        """The step after the tools: it sees what they gave, and what was said meanwhile."""
        voice, given, told = replace(self.voice, settings=settings), self.given, self._told
        following = Generated(
            voice,
            lambda: refreshed(given, told),
            self.tools,
            name=self.name,
            on_death=self._on_death,
        )
        following.modality = self.modality
        return following

    def _take(self) -> llm.ChatContext:
        self.given, self._told = self._context(), self.voice.agent.instructions
        return self.given

    async def _think(self) -> AsyncGenerator[Thought, None]:
        """What the model says; if it dies in the middle it is asked once more, for the rest."""
        said, called = "", False
        try:
            async with aclosing(self._asked(self._take())) as parts:
                async for thought in parts:
                    said += thought if isinstance(thought, str) else ""
                    called |= isinstance(thought, Call)
                    yield thought
        except Exception as error:
            if called or not said.strip() or isinstance(error, MISTAKES):
                raise
            self._on_death(error)
        else:
            return
        async with aclosing(continued(said, self._asked(self._with(said)))) as parts:
            async for thought in parts:
                yield thought

    def _asked(self, context: llm.ChatContext) -> AsyncGenerator[Thought, None]:
        agent, settings = self.voice.agent, self.voice.settings
        offered = self.tools.flatten()
        known = [*offered]

        def called(wanted: llm.FunctionToolCall) -> Call | None:
            if offered != known:  # the node may change the list, for this request
                self.named = llm.ToolContext(offered)
            return self._called(wanted)

        return thoughts(lambda: agent.llm_node(context, offered, settings), called, self.answer)

    def _called(self, wanted: llm.FunctionToolCall) -> Call | None:
        if self.voice.settings.tool_choice == "none":
            logger.warning("the model called a tool though it was told not to; ignored")
            return None
        return Call(wanted, effect_of(self.named.get_function_tool(wanted.name)))

    def _with(self, said: str) -> llm.ChatContext:
        """What the model was called with, and what it has said of its answer."""
        context = self.given.copy()
        context.add_message(role="assistant", content=said)
        return context


class SaidAudio(Said):
    """Audio of the application's with the text it holds: `say("…", audio=…)`; no TTS."""

    def __init__(
        self,
        voice: Voice,
        text: str | AsyncIterable[str],
        audio: AsyncIterable[rtc.AudioFrame],
        *,
        name: str,
        remembered: bool = True,
    ) -> None:
        super().__init__(voice, text, name=name, remembered=remembered)
        self._audio = audio

    def chunker(self) -> Chunker:
        return Uncut()

    async def _voiced(self, texts: AsyncIterable[str]) -> object:
        return self._beside(texts)

    async def _beside(self, texts: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The audio, while the text beside it is read as it comes."""
        async with Scope("said") as scope:
            read = scope.pipe("text", texts, ahead=TEXTS_AHEAD)
            frames: AsyncGenerator[rtc.AudioFrame, None] = items(lambda: self._audio)
            async with aclosing(frames):
                async for frame in frames:
                    yield frame
            async for _ in read:  # raises what reading the text raised
                pass


class Uncut:
    """A chunker that gives text as it comes: no voice waits for sentences of it."""

    def __init__(self) -> None:
        self._text = ""

    def push(self, text: str, now: float) -> None:
        self._text += text

    def flush(self) -> None:
        pass

    def take(self, now: float, slack: float) -> str | None:
        text, self._text = self._text, ""
        return text or None

    def wait(self, now: float, slack: float) -> float | None:
        return None
