"""What a turn's delay and a barge-in's stopping time are made of, gathered while they happen."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from weakref import WeakKeyDictionary

from antiphon.pipeline import observations as o
from antiphon.pipeline.timeline import delays
from antiphon.sources import Generated, Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.agents import llm

    from antiphon.agent import Agent
    from antiphon.conversation import Conversation
    from antiphon.nodes.llm import Answer
    from antiphon.pipeline.reply import Reply
    from antiphon.pipeline.step import Step
    from antiphon.speech import SpeechHandle

Part = Literal["llm_node_ttft", "llm_node_ttfs", "tts_node_ttfb", "playback_latency", "e2e_latency"]

logger = logging.getLogger("antiphon.turn")


PARTS_OF_A_STEP: Final[tuple[tuple[Part, str, str], ...]] = (
    ("llm_node_ttft", "model_called", "first_token"),
    ("llm_node_ttfs", "model_called", "first_chunk"),
    ("tts_node_ttfb", "first_chunk", "first_sound"),
    ("playback_latency", "audible", "playing"),
    ("e2e_latency", "last_voice", "audible"),
)


class Delays:
    """Mutable state: the marks of the turn that is being spoken, and of those not yet answered; the
    answers to what was written, and when that was."""

    def __init__(self, conversation: Conversation) -> None:
        self.voice_at = 0.0  # when the user's voice began
        self._detected_at = 0.0  # when that was noticed
        self._conversation = conversation
        self._turns = 0
        self._marks: dict[str, float] = {}
        self._of_turn: dict[int, dict[str, float]] = {}
        self._written: WeakKeyDictionary[SpeechHandle, float] = WeakKeyDictionary()

    def note(self, seen: o.Observation, now: float) -> None:
        """Remember the time of what matters to the delay."""
        match seen:
            case o.VoiceStarted():
                self.voice_at, self._detected_at = seen.at, now
                self._marks.setdefault("voice", seen.at)
            case o.VoiceStopped():
                self._marks["last_voice"] = seen.at
            case o.Transcript():
                self._marks["transcribed"] = now
                self._marks.setdefault("last_voice", now)

    @property
    def last_voice(self) -> float:
        """When the voice of the turn that is being spoken was last heard."""
        return self._marks.get("last_voice", self.voice_at)

    def next_turn(self, now: float) -> int:
        """Number the turn that was just committed; its marks so far are now its own."""
        self._turns += 1
        self._marks["committed"] = now
        self._of_turn[self._turns] = self._marks
        self._marks = {}
        return self._turns

    def turn_of(self, decision: o.Decision) -> int | None:
        """The number of the turn that a decision is about to commit."""
        return self._turns + 1 if isinstance(decision, o.Commit) else None

    def hooking(self, turn: int, now: float) -> None:
        """on_user_turn_completed begins."""
        self._of_turn.get(turn, {})["hook"] = now

    def hooked(self, turn: int, now: float) -> None:
        """on_user_turn_completed is done with that turn."""
        self._of_turn.get(turn, {})["hooked"] = now

    def written(self, answer: SpeechHandle) -> None:
        """What it answers is written now, and was not spoken."""
        self._written[answer] = asyncio.get_running_loop().time()

    def audible(self, reply: Reply) -> None:
        """The answer to a turn is heard: say what its delay was made of."""
        if reply.turn is None:
            since = self._written.pop(self._conversation.speaking.handle(reply), None)
            if since is not None:
                self._tell(reply, since, reply.step.marked)
            return
        if reply.turn not in self._of_turn:
            return
        marks = {**self._of_turn[reply.turn], **reply.step.marked}
        self._of_turn = {n: m for n, m in self._of_turn.items() if n > reply.turn}
        reply.step.marked["last_voice"] = marks["last_voice"]
        self._tell(reply, marks["last_voice"], marks)

    def _tell(self, reply: Reply, since: float, marks: Mapping[str, float]) -> None:
        parts = {name: us / 1e6 for name, us in delays(since, marks).items()}
        total = round(sum(parts.values()), 6)
        self._conversation.mark("delay", reply, parts=parts, total=total)
        logger.info("turn %s answered after %.3f s", reply.turn or "in writing", total)

    def begun(self, _: object) -> None:
        """An output that is not ours says that it has begun to play what it was given."""
        talk = self._conversation
        reply = talk.speaking.with_gen(talk.machine.gen)
        if reply is not None and "audible" in reply.step.marked:
            reply.step.marked.setdefault("playing", asyncio.get_running_loop().time())

    def of_turn(self, turn: int) -> llm.MetricsReport:
        """What is known of a turn of the user's; times of day in seconds since the epoch."""
        marks, wall = self._of_turn.get(turn, {}), self._conversation.memory.wall
        found: llm.MetricsReport = {}
        if "voice" in marks:
            found["started_speaking_at"] = wall(marks["voice"])
        if "last_voice" in marks:
            last = marks["last_voice"]
            found["stopped_speaking_at"] = wall(last)
            found["transcription_delay"] = max(0.0, marks.get("transcribed", last) - last)
            found["end_of_turn_delay"] = max(0.0, marks["committed"] - last)
        if "hook" not in marks:
            found["on_user_turn_completed_delay"] = 0.0  # the turn waited for none
        elif "hooked" in marks:
            found["on_user_turn_completed_delay"] = marks["hooked"] - marks["hook"]
        return {**found, **_model("stt_metadata", self._conversation.agent.stt)}

    def of_step(self, step: Step, agent: Agent) -> llm.MetricsReport:
        """What is known of what the agent said in one step."""
        marks, wall = step.marked, self._conversation.memory.wall
        found: llm.MetricsReport = {}
        for name, start, end in PARTS_OF_A_STEP:
            if start in marks and end in marks and _belongs(name, step):
                found[name] = marks[end] - marks[start]
        if "audible" in marks:
            found["started_speaking_at"] = wall(marks["audible"])
            found["stopped_speaking_at"] = wall()
        if isinstance(step.source, Generated):
            found = {**found, **_of(step.source.answer), **_model("llm_metadata", agent.llm)}
        return {**found, **_model("tts_metadata", agent.tts if _voiced(step) else None)}

    def stopping(self, reply: Reply, now: float) -> None:
        """Say how long it took until the agent was silent, when it is the user who stops it."""
        playout = reply.step.playout
        if (
            playout is not None
            and playout.sounding
            and self._conversation.states.user == "speaking"
        ):
            voice, detection = now - self.voice_at, now - self._detected_at
            self._conversation.mark("stopped", reply, voice=voice, detection=detection)


def _belongs(name: Part, step: Step) -> bool:
    """What the application had said was thought of by no model; a model that speaks has no voice
    beside it."""
    if name.startswith("llm_"):
        return isinstance(step.source, Generated)
    return _voiced(step) or not name.startswith("tts_")


def _voiced(step: Step) -> bool:
    return isinstance(step.source, Said) and step.source.voiced_by == "tts"


def _of(answer: Answer) -> llm.MetricsReport:
    """What a model tells of its answer."""
    found: llm.MetricsReport = {}
    if answer.tokens_per_second is not None:
        found["llm_node_tps"] = answer.tokens_per_second
    if answer.request_ids:
        found["provider_request_ids"] = list(answer.request_ids)
    return found


def _model(name: str, model: Any) -> llm.MetricsReport:
    if model is None:
        return {}
    about = {"model_name": model.model, "model_provider": model.provider}
    return cast("llm.MetricsReport", {name: about})
