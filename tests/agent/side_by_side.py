"""The same conversation held by LiveKit's session and by ours, on the virtual clock.

Both get the same scripted models, of LiveKit's classes, and the same output. `Case` is the script;
`held` gives what the session told, each with its time.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from livekit import agents as livekit
from livekit import rtc
from livekit.agents import io, vad

from antiphon.pipeline import clock
from antiphon.simulate import Caller, Ears, ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.simulated_caller import CALLER, Piece, cues, listened_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import pytest
    from livekit.agents import llm

Kit = Any
EARS: Final = Ears(0.06, 0.5, 0.05, 0.25)
EPOCH: Final = 1_700_000_000.0
FRAME: Final = 0.1  # seconds of the input
LOOK: Final = 0.05  # seconds between two looks of the detector


class Detector(vad.VAD):
    """Says when the scripted caller begins and ends, and every 50 ms that there is a voice."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=LOOK))

    def stream(self) -> vad.VADStream:
        return _Looking(self)


class _Looking(vad.VADStream):
    def __init__(self, detector: vad.VAD) -> None:
        self._voices = listened_to().detector()
        super().__init__(detector)

    async def _main_task(self) -> None:
        began: float | None = None
        loop = asyncio.get_running_loop()
        while True:
            try:
                edge = await asyncio.wait_for(self._voices.get(), None if began is None else LOOK)
            except TimeoutError:
                assert began is not None
                self._look(round(loop.time() - began, 6))
                continue
            starts = edge.type is vad.VADEventType.START_OF_SPEECH
            began = loop.time() - edge.speech_duration if starts else None
            self._event_ch.send_nowait(edge)

    def _look(self, speech: float) -> None:
        durations: dict[str, Any] = {"speech_duration": speech, "silence_duration": 0.0}
        self._event_ch.send_nowait(
            vad.VADEvent(
                type=vad.VADEventType.INFERENCE_DONE,
                samples_index=0,
                timestamp=0.0,
                speaking=True,
                probability=1.0,
                raw_accumulated_speech=speech,
                **durations,
            )
        )


class Sink(io.AudioOutput):
    """Plays what it is given in real time, and says how much of it when it is cut."""

    def __init__(self) -> None:
        super().__init__(
            label="sink",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=None,
        )
        self._began = 0.0
        self._given = 0.0
        self._over: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._given:
            self._began = asyncio.get_running_loop().time()
            self.on_playback_started(created_at=time.time())
        self._given += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._given:
            loop = asyncio.get_running_loop()
            self._over = loop.call_at(self._began + self._given, self._end, self._given, False)

    def clear_buffer(self) -> None:
        if self._given:
            played = asyncio.get_running_loop().time() - self._began
            self._end(min(self._given, played), True)

    def _end(self, played: float, interrupted: bool) -> None:
        if self._over is not None:
            self._over.cancel()
            self._over = None
        self._given = 0.0
        self.on_playback_finished(playback_position=played, interrupted=interrupted)


class Microphone(io.AudioInput):
    """Frames of silence: the scripted models do not listen to sound."""

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(FRAME)
        samples = int(16_000 * FRAME)
        return rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples)


@dataclass(frozen=True)
class Case:
    """What the user says, (begin, end, text), what the model answers to a last item, and what the
    program does."""

    said: tuple[tuple[float, float, str], ...] = ()
    replies: Mapping[str, Any] = field(default_factory=dict)
    agent: Callable[[Kit], Any] = lambda kit: kit.Agent(instructions="Answer.")
    does: Callable[[Kit, Any, Told], Awaitable[object]] | None = None
    turns: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    models: Callable[[], Mapping[str, Any]] = dict  # in place of the scripted ones
    until: float = 12.0


class Told:
    """What a session tells, with the time; `note` is for the program's own lines.

    The close has no time of its own: LiveKit's waits for words that nobody said.
    """

    def __init__(self, session: Any, until: float) -> None:
        self._until = until
        self.lines: list[tuple[float, str]] = []
        kinds: dict[str, Callable[[Any], str]] = {
            "user_state_changed": lambda e: f"user {e.new_state} since {_seconds(e.created_at)}",
            "agent_state_changed": lambda e: f"agent {e.new_state}",
            "user_input_transcribed": lambda e: f"{e.is_final and 'final'} {e.transcript}",
            "conversation_item_added": lambda e: _item(e.item),
            "speech_created": lambda e: f"speech by {e.source}, {e.user_initiated}",
            "function_tools_executed": _tools,
            "agent_false_interruption": lambda e: f"resumed {e.resumed}",
            "error": lambda e: f"error {e.error.type} {e.error.error} {e.error.recoverable}",
            "close": lambda e: f"closed {e.reason.value}",
        }
        for name, kind in kinds.items():
            session.on(name, lambda event, kind=kind: self.note(kind(event)))

    def note(self, line: str) -> None:
        now = asyncio.get_running_loop().time()
        self.lines.append((round(min(now, self._until), 3), line))


def _seconds(created_at: float) -> float:
    return round(created_at - EPOCH, 3)


def _item(item: Any) -> str:
    if item.type != "message":
        return str(item.type)
    if item.interrupted:
        return f"{item.role} cut"  # what was heard of it is ours to say
    return f"{item.role}: {(item.text_content or '').strip()}"


def _tools(event: Any) -> str:
    outputs = [(out.name, out.output, out.is_error) for out in event.function_call_outputs]
    return f"tools {outputs} reply={event.has_tool_reply} handoff={event.has_agent_handoff}"


def answers(replies: Mapping[str, Any]) -> Callable[[llm.ChatContext], Any]:
    """The reply to the last item that is no note of the session's."""

    def answer(context: llm.ChatContext) -> Any:
        items = [i for i in context.items if i.type in ("message", "function_call_output")]
        last = items[-1]
        text = last.text_content if last.type == "message" else last.output
        return replies.get(text or "", "")

    return answer


async def _conversation(kit: Kit, case: Case) -> list[tuple[float, str]]:
    caller = Caller()
    CALLER.set(caller)
    interruption = {"mode": "vad", "min_duration": 0.51, "false_interruption_timeout": 2.0}
    turns: dict[str, Any] = {
        "turn_detection": "vad",
        "preemptive_generation": {"enabled": False},
        **case.turns,
    }
    turns["interruption"] = {**interruption, **turns.get("interruption", {})}
    models = {
        "vad": Detector(),
        "stt": ScriptedSTT(),
        "llm": ScriptedLLM(answers(case.replies), tokens_per_second=float("inf")),
        "tts": ScriptedTTS(streaming=True),
        **case.models(),
    }
    session = kit.AgentSession(
        **models, turn_handling=turns, aec_warmup_duration=None, **case.options
    )
    told = Told(session, case.until)
    session.input.audio, session.output.audio = Microphone(label="microphone"), Sink()
    await session.start(case.agent(kit), **({"record": False} if kit is livekit else {}))
    loop = asyncio.get_running_loop()
    for begin, end, text in case.said:
        for cue in cues((Piece(text, 0.0, end - begin),), begin, EARS):
            loop.call_at(cue.at, cue.do, caller)
    doing = asyncio.ensure_future(case.does(kit, session, told)) if case.does else None
    await asyncio.sleep(case.until)
    if doing is not None:
        await doing
    await session.aclose()
    # By name: LiveKit stamps some of its items by the machine's clock.
    told.note(f"history {sorted(map(_item, session.history.items))}")
    return told.lines


def held(kit: Kit, case: Case, patch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """Hold it; every clock that LiveKit reads is the virtual one."""

    async def whole() -> list[tuple[float, str]]:
        loop = asyncio.get_running_loop()
        with patch.context() as now:
            now.setattr(time, "time", lambda: EPOCH + loop.time())
            now.setattr(time, "perf_counter", loop.time)
            return await _conversation(kit, case)

    return clock.run(whole)
