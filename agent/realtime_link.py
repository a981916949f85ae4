"""The line to a realtime model: one session of its, what it was told, and what it is told next.

Who is about to ask for a reply waits for what the model is to be told before it (instructions,
tools, the conversation). What the plugin does wrong is reported and goes no further.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from livekit.agents import NOT_GIVEN, NotGivenOr, llm

from antiphon.hooks import outcome
from antiphon.pipeline.errors import NodeError, NodeTimeout
from antiphon.realtime_errands import Errands
from antiphon.realtime_retold import Retold, bare, merged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit import rtc

    from antiphon.pipeline.streams import Scope

PATIENCE: Final = 9.0  # seconds that a reply may take to begin; plugins give up after ten
LAST: Final = 2.0  # seconds that a session has to close, or to tell a conversation again


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the model; what is left out is as the session has it."""

    instructions: NotGivenOr[str] = NOT_GIVEN
    tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN
    tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN
    say: Any = None  # a text, or texts as they come, to be said as it is
    again: bool = False  # it was asked for before

    def after(self, heard: str) -> Wish | None:
        """What is left of it when so much was heard, and nothing more comes; None: nothing."""
        if self.say is None:
            return self
        rest = self.say.removeprefix(heard.strip()).strip() if isinstance(self.say, str) else ""
        return replace(self, say=rest) if rest else None


class Link:
    """Mutable state: what the model was told; the items of history that it has, by their ids, and
    calls that it made; and the error that ended it."""

    def __init__(
        self,
        model: llm.RealtimeModel,
        scope: Scope,
        failed: Callable[[Exception], None],
        *,
        disabled: bool,
    ) -> None:
        self.model = model
        self.instructions = ""
        self.tools: list[llm.Tool] = []
        self.known: set[str] = set()
        self.dead: Exception | None = None
        self._calls: set[str] = set()
        self._scope = scope
        self._failed = failed
        self._closing: asyncio.Task[Exception | None] | None = None
        connects = isinstance(model, llm.DuplexRealtimeAdapter)
        # Before the tasks of the plugin, which may connect with what it knows then, for good.
        self._errands = Errands(scope, self._erred, self._all_told if connects else None)
        try:
            self.session: llm.RealtimeSession[Any] = model.session(turn_detection_disabled=disabled)
        except BaseException:
            self._errands.abandon()
            raise
        self._errands.start()
        self.retold = Retold(self)

    @property
    def can(self) -> llm.RealtimeCapabilities:
        return self.session.capabilities

    # What needs no answer.

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self._guarded(lambda: self.session.push_audio(frame))

    def push_video(self, frame: rtc.VideoFrame) -> None:
        self._guarded(lambda: self.session.push_video(frame))

    def stirs(self) -> None:
        """The user makes a sound."""
        self._guarded(self.session.start_user_activity)

    def commit(self) -> None:
        """The user's turn is over."""
        self._guarded(self.session.commit_audio)

    def clear(self) -> None:
        """What the user made sounds of was no turn."""
        self._guarded(self.session.clear_audio)

    def interrupt(self) -> None:
        """The response is not listened to any more."""
        self._guarded(self.session.interrupt)

    def truncate(self, message: str, spoken: bool, milliseconds: int, text: str) -> None:
        """Of that message so much was heard."""
        if not self.can.message_truncation or self.session.chat_ctx.get_by_id(message) is None:
            return  # or it came over a connection that was lost, and the model has nothing of it
        if message in self.retold.before:
            self.retold.shorten(message, text)
            return
        modalities: list[Literal["text", "audio"]] = ["audio", "text"] if spoken else ["text"]
        self._guarded(
            lambda: self.session.truncate(
                message_id=message,
                modalities=modalities,
                audio_end_ms=milliseconds,
                audio_transcript=text,
            )
        )

    def _guarded(self, do: Callable[[], None]) -> None:
        """A plugin that fails is reported once, and not called again."""
        if self.dead is not None or self._closing is not None:
            return
        try:
            do()
        except Exception as error:
            self.ends(error)
            self._failed(error)

    def ends(self, error: Exception) -> None:
        """Nothing more can be asked of it."""
        self.dead = self.dead or error

    # What the server answers.

    def later(self, what: str, do: Callable[[], Awaitable[None]]) -> asyncio.Future[None]:
        """Do that when what stands before it is done; the future has no error."""
        return self._errands.later(what, do)

    async def _all_told(self) -> None:
        """A duplex model connects when it is said to know all, and LiveKit has no other name for
        that; every realtime session has this method."""
        await self.session._update_session()

    def _erred(self, error: Exception) -> None:
        if self.dead is None:
            self._failed(error)

    def told(self, instructions: str) -> None:
        if instructions != self.instructions:
            self.instructions = instructions
            self.later("instructions", lambda: self.session.update_instructions(instructions))

    def offered(self, tools: list[llm.Tool]) -> None:
        if tools != self.tools:
            self.tools = tools
            self.later("tools", lambda: self.session.update_tools(tools))

    def replace(
        self, context: llm.ChatContext, stays: Callable[[llm.ChatItem], bool]
    ) -> asyncio.Future[None]:
        """The conversation is that one, with what `stays` of what the model has of its own."""
        whole = bare(context)

        async def do() -> None:
            theirs = [item for item in self.session.chat_ctx.items if stays(item)]
            self.known = {i.id for i in whole.items} | self.known & {i.id for i in theirs}
            self._calls = _calls(whole.items) | self._calls & _calls(theirs)
            await self.session.update_chat_ctx(merged(whole, theirs))

        return self.later("conversation", do)

    def idle(self) -> asyncio.Future[None]:
        """Done when the model has been told what stands in line now."""

        async def nothing() -> None:
            pass

        return self.later("nothing", nothing)

    def agree(self, context: llm.ChatContext) -> asyncio.Future[None]:
        """The model is told what of that conversation it does not have."""

        async def do() -> None:
            mirror = self.session.chat_ctx.copy()
            there = {item.id for item in mirror.items}
            new = [item for item in bare(context).items if not self._has(item)]
            self.known.update(item.id for item in new)
            if missing := [item for item in new if item.id not in there]:
                mirror.items.extend(missing)
                await self.session.update_chat_ctx(mirror)

        return self.later("conversation", do)

    def _has(self, item: llm.ChatItem) -> bool:
        mine = item.type == "function_call" and item.call_id in self._calls
        return mine or item.id in self.known

    def forget(self, message: str) -> None:
        """Nothing of that message of the model's was heard."""
        self.known.add(message)

        async def do() -> None:
            mirror = self.session.chat_ctx.copy()
            if (at := mirror.index_by_id(message)) is not None:
                del mirror.items[at]
                await self.session.update_chat_ctx(mirror)

        if self.can.mutable_chat_context:
            self.later("conversation", do)

    def called(self, call: llm.FunctionCall) -> llm.FunctionToolCall:
        """The model calls a tool."""
        self._calls.add(call.call_id)
        return llm.FunctionToolCall(
            name=call.name, arguments=call.arguments, call_id=call.call_id, extra=call.extra
        )

    async def generate(self, wish: Wish) -> llm.GenerationCreatedEvent:
        """Ask for a reply; what the model answers. Being cancelled takes the question back."""
        await asyncio.wait([self.later("reply", self._ready(wish))])
        if self.dead is not None or self._closing is not None:
            why = self.dead or "its session was closed"
            raise NodeError(f"the realtime model has gone: {why}") from self.dead
        asked = self._ask(wish)
        try:
            await asyncio.wait([asked], timeout=PATIENCE)
            if not asked.done():
                raise NodeTimeout.after("generate_reply", PATIENCE)
        except asyncio.CancelledError:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                self.interrupt()  # it has begun meanwhile
            raise
        finally:
            if not asked.done():
                asked.cancel()
        return asked.result()

    async def move_on(self) -> None:
        """The model is silent: go on with the next one, where there are several. What was asked of
        this one is asked again then."""
        if isinstance(self.model, llm.RealtimeModelFallbackAdapter):
            session: Any = self.session
            moving = self._scope.start("next model", outcome(session.restart(switch_model=True)))
            await asyncio.wait([moving])

    def _ready(self, wish: Wish) -> Callable[[], Awaitable[None]]:
        """What must be done before: a model may not take tools and choices reply by reply."""

        async def do() -> None:
            if self.can.per_response_tool_choice or wish.say is not None:
                return
            if wish.tool_choice is not NOT_GIVEN:
                self.session.update_options(tool_choice=wish.tool_choice)
            if isinstance(wish.tools, list):
                await self.session.update_tools(wish.tools)

        return do

    def restore(self, wish: Wish) -> None:
        """That reply is over: what held for it alone holds no more."""

        async def do() -> None:
            if wish.tool_choice is not NOT_GIVEN:
                self.session.update_options(tool_choice=None)
            if isinstance(wish.tools, list):
                await self.session.update_tools(self.tools)

        own = wish.tool_choice is not NOT_GIVEN or wish.tools is not NOT_GIVEN
        if own and wish.say is None and not self.can.per_response_tool_choice:
            self.later("tools", do)

    def _ask(self, wish: Wish) -> asyncio.Future[llm.GenerationCreatedEvent]:
        if wish.say is not None:
            return self.session.say(wish.say)
        each = self.can.per_response_tool_choice
        return self.session.generate_reply(
            instructions=wish.instructions,
            tool_choice=wish.tool_choice if each else NOT_GIVEN,
            tools=wish.tools if each else NOT_GIVEN,
        )

    def close(self) -> asyncio.Task[Exception | None]:
        """End the session; the task has no error to raise."""
        if self._closing is None:
            self._errands.close()
            self._closing = self._scope.start("realtime close", self._close())
        return self._closing

    async def _close(self) -> Exception | None:
        await self._errands.ended()
        return await outcome(self.session.aclose())


def _calls(items: list[llm.ChatItem]) -> set[str]:
    return {item.call_id for item in items if item.type == "function_call"}
