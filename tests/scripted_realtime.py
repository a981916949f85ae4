"""A realtime model on the virtual clock, behind LiveKit's base classes, with exact times.

It answers with `replies` in order, in the sound of a `Voice`, whose samples say which word they
are of. It hears the simulated caller: his voice as its own detector does, and his words. It keeps
a conversation of its own, and refuses what a real server refuses: two responses at once, the
output of a call that it does not know, more of a message than it gave.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any

from livekit.agents import NOT_GIVEN, NotGivenOr, llm, vad
from livekit.agents.stt import SpeechEventType
from livekit.agents.types import TimedString
from livekit.agents.utils import aio

from antiphon.simulate import Calls, Voice
from antiphon.simulated_caller import listened_to
from tests.scripted_response import Answer, Generating, Pace, able, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from livekit import rtc


IDS = itertools.count(1)  # of whatever is in a conversation


class ScriptedRealtime(llm.RealtimeModel):
    """`sessions` are those that were made, the last of them the one in use."""

    def __init__(
        self,
        replies: Iterable[Answer],
        voice: Voice | None = None,
        *,
        pace: Pace | None = None,
        timed: bool = True,
        **can: bool,
    ) -> None:
        super().__init__(capabilities=able(**can))
        self.replies = iter(replies)
        self.voice = voice or Voice()
        self.pace = pace or Pace()
        self.timed = timed
        self.sessions: list[ScriptedSession] = []
        self.refuses: Callable[[], Exception | None] = lambda: None  # a request for a reply
        self.through: Callable[[str, Any], Any] = lambda _, stream: stream  # what it streams
        self.deaf = False  # it goes on when it is interrupted

    @property
    def model(self) -> str:
        return "scripted-realtime"

    provider = "tests"

    def session(self, *, turn_detection_disabled: bool = False) -> ScriptedSession:
        self.sessions.append(ScriptedSession(self, detects=not turn_detection_disabled))
        return self.sessions[-1]

    async def aclose(self) -> None: ...


class ScriptedSession(llm.RealtimeSession[Any]):
    """`heard` is what it was told, in order: the names of the calls, with what matters of each."""

    def __init__(self, model: ScriptedRealtime, *, detects: bool) -> None:
        super().__init__(model)
        self.scripted = model
        self.detects = detects and model.capabilities.turn_detection
        self.heard: list[tuple[Any, ...]] = []
        self.closed = self._hears = False
        self.instructions = ""
        self.frames: list[rtc.AudioFrame] = []
        self.pictures: list[rtc.VideoFrame] = []
        self.active: Generating | None = None
        self._context = llm.ChatContext.empty()
        self._tools = llm.ToolContext.empty()
        self._item = self._name("user")
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the same order in each run
        self._asked: list[asyncio.Future[llm.GenerationCreatedEvent]] = []
        self._sounded: dict[str, float] = {}  # seconds of its messages so far
        self._ending: asyncio.TimerHandle | None = None
        caller = listened_to()
        if self.detects:
            self._run(self._detect(caller.detector()))
        if model.capabilities.user_transcription:
            self._run(self._recognise(caller.speech))

    def _name(self, what: str) -> str:
        return f"{what}_{next(IDS)}"

    def _run(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    # What it hears.

    async def _detect(self, edges: asyncio.Queue[vad.VADEvent]) -> None:
        while True:
            edge = await edges.get()
            self._go_on()
            heard, self._hears = self._hears, edge.type is vad.VADEventType.START_OF_SPEECH
            if self._hears:
                if not self.capabilities.supports_overlapping_speech:
                    self._cancel()
                self.emit("input_speech_started", llm.InputSpeechStartedEvent())
            elif heard:
                told = self.capabilities.user_transcription
                self.emit("input_speech_stopped", llm.InputSpeechStoppedEvent(told))
                loop, wait = asyncio.get_running_loop(), self.scripted.pace.endpoint
                self._ending = loop.call_later(wait, self._end_turn)

    def _go_on(self) -> None:
        """The turn does not end of itself now."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end_turn(self) -> None:
        self._ending = None
        self._commit()
        self._cancel()
        self._run(self._respond(None))

    async def _recognise(self, speech: asyncio.Queue[Any]) -> None:
        item, told = "", frozenset[str]()  # in which this utterance began, and those before it
        while True:
            event = await speech.get()
            final = event.type is SpeechEventType.FINAL_TRANSCRIPT
            item = item or (self._name("user") if self._item in told else self._item)
            self._run(self._transcribe(event.alternatives[0].text, item, final))
            told, item = (told | {item}, "") if final else (told, item)

    async def _transcribe(self, text: str, item: str, final: bool) -> None:
        await asyncio.sleep(self.scripted.pace.transcribed)
        told = llm.InputTranscriptionCompleted(item_id=item, transcript=text, is_final=final)
        self.emit("input_audio_transcription_completed", told)

    def _commit(self) -> None:
        self._add(llm.ChatMessage(id=self._item, role="user", content=[]))
        self._item = self._name("user")

    def _add(self, item: llm.ChatItem) -> None:
        before = self._context.items[-1].id if self._context.items else None
        self._context.items.append(item)
        self.emit("remote_item_added", llm.RemoteItemAddedEvent(before, item))

    # What it says.

    async def _respond(
        self, asked: asyncio.Future[llm.GenerationCreatedEvent] | None, said: str | None = None
    ) -> None:
        await asyncio.sleep(self.scripted.pace.created)
        if asked is not None and asked.done():
            return
        refusal = self.scripted.refuses()
        if refusal is None and self.active is not None and not self.scripted.deaf:
            refusal = llm.RealtimeError("conversation_already_has_active_response")
        if refusal is not None:
            if asked is not None:
                asked.set_exception(refusal)
            return
        self.active = now = self._begin(user_initiated=asked is not None)
        if asked is not None:
            asked.set_result(now.event)
        self.emit("generation_created", now.event)
        answer = said if said is not None else next(self.scripted.replies)
        if self.active is now:  # nobody has interrupted it at once
            now.task = self._run(self._generate(now, answer))

    def _begin(self, *, user_initiated: bool) -> Generating:
        messages, calls = aio.Chan[llm.MessageGeneration](), aio.Chan[llm.FunctionCall]()
        given = self.scripted.through("messages", messages)
        event = llm.GenerationCreatedEvent(given, calls, user_initiated, self._name("response"))
        return Generating(event, messages, calls)

    async def _generate(self, now: Generating, answer: Answer) -> None:
        await asyncio.sleep(self.scripted.pace.first)
        texts = [answer.text] if isinstance(answer, Calls) else answer
        for text in [texts] if isinstance(texts, str) else texts:
            if text:
                await self._message(now, text)
        for tool, arguments in answer.tools if isinstance(answer, Calls) else ():
            name, given = self._name("its_call"), json.dumps(arguments)
            call = llm.FunctionCall(id=self._name("item"), call_id=name, name=tool, arguments=given)
            self._add(call)
            now.calls.send_nowait(call)
        self._over(now, cancelled=False)

    async def _message(self, now: Generating, text: str) -> None:
        spoken = self.capabilities.audio_output
        words, sound = aio.Chan[str](), aio.Chan[Any]()
        now.open = [words, sound]
        name = self._name("message")
        modalities: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        modalities.set_result(["audio", "text"] if spoken else ["text"])
        self._add(llm.ChatMessage(id=name, role="assistant", content=[text]))
        to = self.scripted.through
        given = llm.MessageGeneration(name, to("words", words), to("sound", sound), modalities)
        now.messages.send_nowait(given)
        voice, at = self.scripted.voice, 0.0
        frames = voice.frames(text) if spoken else [None] * len(text.split())
        for word, frame in zip(text.split(), frames, strict=True):
            timed = spoken and self.scripted.timed
            told = TimedString(word + " ", start_time=at) if timed else word + " "
            words.send_nowait(told)
            lasts = 0.08 if frame is None else frame.duration
            if frame is not None:
                frame.userdata.clear()
                sound.send_nowait(frame)
                self._sounded[name] = at + lasts
            at += lasts
            await asyncio.sleep(lasts / voice.speed)
        words.close()
        sound.close()

    def _cancel(self) -> None:
        if (now := self.active) is not None:
            now.stop()
            self._over(now, cancelled=True)

    def lose(self) -> None:
        """The connection is lost: nothing that was coming comes, no voice is heard."""
        self._hears, self._item = False, self._name("user")
        if (now := self.active) is not None:
            now.stop()
            now.end()
            self.active = None
        for asked in self._asked:
            if not asked.done():
                asked.set_exception(llm.RealtimeError("lost"))

    def _over(self, now: Generating, *, cancelled: bool) -> None:
        now.end()
        self.active = None if self.active is now else self.active
        self.emit("metrics_collected", now.used(self.scripted.label, cancelled=cancelled))

    # LiveKit's interface.

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._context.copy()

    @property
    def tools(self) -> llm.ToolContext:
        return self._tools.copy()

    async def update_instructions(self, instructions: str) -> None:
        self.heard.append(("instructions", instructions))
        self.instructions = instructions

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        await asyncio.sleep(0.02)
        before = {item.id for item in self._context.items}
        self._context = chat_ctx.copy()
        new = [item for item in chat_ctx.items if item.id not in before]
        gone = before - {item.id for item in chat_ctx.items}
        self.heard.append(("context", [item.id for item in new], sorted(gone)))
        outputs = [item for item in new if item.type == "function_call_output"]
        called = {item.call_id for item in chat_ctx.items if item.type == "function_call"}
        for output in outputs:
            if output.call_id not in called:
                self.emit("error", refusal(f"there is no call {output.call_id}"))
        if outputs and self.capabilities.auto_tool_reply_generation:
            self._run(self._respond(None))

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self.heard.append(("tools", sorted(tool.id for tool in tools)))
        self._tools = llm.ToolContext(tools)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        self.heard.append(("options", tool_choice))

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self.frames.append(frame)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        self.pictures.append(frame)

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[llm.GenerationCreatedEvent]:
        names = [tool.id for tool in tools] if isinstance(tools, list) else tools
        self.heard.append(("reply", instructions, tool_choice, names))
        return self._ask(None)

    def _ask(self, said: str | None) -> asyncio.Future[llm.GenerationCreatedEvent]:
        asked: asyncio.Future[llm.GenerationCreatedEvent]
        asked = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        self._run(self._respond(asked, said))
        return asked

    def say(self, text: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        self.heard.append(("say", text))
        return self._ask(text)

    def commit_audio(self) -> None:
        self.heard.append(("commit",))
        self._go_on()
        self._commit()

    def clear_audio(self) -> None:
        self.heard.append(("clear",))

    def start_user_activity(self) -> None:
        self.heard.append(("activity",))

    def interrupt(self) -> None:
        self.heard.append(("interrupt",))
        if not self.scripted.deaf:
            self._cancel()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Any],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        self.heard.append(("truncate", message_id, audio_end_ms, audio_transcript))
        item, sounded = self._context.get_by_id(message_id), self._sounded.get(message_id, 0.0)
        if item is None or ("audio" in modalities and audio_end_ms > 1000 * sounded + 1e-6):
            self.emit("error", refusal(f"{message_id} is not as long as {audio_end_ms} ms"))
        if isinstance(item, llm.ChatMessage):
            item.content = [str(audio_transcript)]

    async def aclose(self) -> None:
        self._go_on()
        self._cancel()
        while self._tasks:  # one that ends may have begun another
            task = next(iter(self._tasks))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.closed = True
