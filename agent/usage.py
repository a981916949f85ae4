"""What the models of a session have used, and what they report while they work.

A model object may serve several sessions: what it reports is taken by the session in whose tasks
it works.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit.agents import ErrorEvent, MetricsCollectedEvent, llm, metrics
from livekit.agents.metrics import AgentSessionUsage, ModelUsageCollector

from antiphon.costs import Costs, has_vendor, load_prices
from antiphon.cut_off import close_aside, put_aside
from antiphon.events import BudgetSpentEvent, SessionUsageUpdatedEvent
from antiphon.pipeline.left_behind import STRAYS
from antiphon.pipeline.reply import SPEAKING
from antiphon.turn_costs import TurnCosts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from livekit.agents.metrics import AgentMetrics, ModelUsage

    from antiphon.conversation import Conversation
    from antiphon.costs import SessionCost
    from antiphon.pipeline.fate import Fate
    from antiphon.pipeline.streams import Scope
    from antiphon.used import Used

logger = logging.getLogger("antiphon.usage")


@dataclass
class SessionUsage(AgentSessionUsage):
    """What a session has used, for each provider and model; `thrown_away` is the part of it that
    went into answers of which nobody has heard a word."""

    thrown_away: list[ModelUsage] = field(default_factory=list)


class Usage:
    """Mutable state: the sums, what was used for steps of which it is not known whether they are
    let out, and the models that are listened to."""

    def __init__(self, conversation: Conversation, scope: Scope) -> None:
        self._conversation = conversation
        self._scope = scope
        self._collector = ModelUsageCollector()
        self._thrown_away = ModelUsageCollector()
        self._undecided: dict[Fate, list[AgentMetrics]] = {}
        self._models: list[Any] = []
        self._costs = Costs(conversation.session.prices)
        self._turns = TurnCosts(conversation, self._costs)

    def summary(self) -> SessionUsage:
        """Tokens, characters and seconds of audio so far, for each provider and model."""
        self._settle()
        return SessionUsage(self._collector.flatten(), self._thrown_away.flatten())

    def cost(self) -> SessionCost:
        """What that cost."""
        self._settle()
        return self._costs.summary()

    def follow(self, models: Iterable[object]) -> None:
        """Listen to these models, and to no other."""
        self._let_go()
        models = list(models)
        for model in models:
            if model not in self._models and not isinstance(model, llm.RealtimeModel):
                self._models.append(model)
                model.on("metrics_collected", self.collected)  # type: ignore[attr-defined]
                model.on("error", self._failed)  # type: ignore[attr-defined]
        if "genai_prices" not in sys.modules and any(map(has_vendor, models)):
            asyncio.get_running_loop().run_in_executor(None, load_prices)

    def _let_go(self) -> None:
        for model in self._models:
            model.off("metrics_collected", self.collected)
            model.off("error", self._failed)
        self._models.clear()

    def close(self) -> None:
        """Listen to none any more, and tell of the costs that were not told of."""
        self._let_go()
        self._turns.close()

    def turn_over(self, turn: int, speech: str) -> None:
        """The speech with that id answers a turn of the user's: tell what its end took."""
        talk = self._conversation
        known = talk.delays.of_turn(turn)
        ended = metrics.EOUMetrics(
            timestamp=talk.memory.wall(),
            end_of_utterance_delay=known.get("end_of_turn_delay", 0.0),
            transcription_delay=known.get("transcription_delay", 0.0),
            on_user_turn_completed_delay=known.get("on_user_turn_completed_delay", 0.0),
            speech_id=speech,
        )
        talk.session.report("metrics_collected", lambda: MetricsCollectedEvent(metrics=ended))

    @property
    def _ours(self) -> bool:
        return STRAYS.get() in (None, self._conversation.strays)

    def collected(self, report: AgentMetrics) -> None:
        if not self._ours:
            return
        talk = self._conversation
        reply = SPEAKING.get() or talk.realtime.mouth.giving(report)
        if reply is not None and isinstance(report, metrics.LLMMetrics | metrics.TTSMetrics):
            report.speech_id = talk.speaking.name_of(reply)
        used = self._count(report)
        if reply is not None and not reply.step.fate.let_out:
            self._undecided.setdefault(reply.step.fate, []).append(report)
        if used is not None:
            self._turns.note(reply, used)
        if isinstance(report, metrics.LLMMetrics) and report.cancelled:
            self.cut_off()
        self._tell(report)

    def collected_for(self, report: AgentMetrics) -> None:
        """Count what another session used for the call of this one."""
        if not isinstance(report, metrics.EOUMetrics):
            self._count(report)
            self._tell(report)

    def _count(self, report: AgentMetrics) -> Used | None:
        self._settle()
        self._collector.collect(report)
        return self._costs.note(report)

    def _tell(self, report: AgentMetrics) -> None:
        session, updated = self._conversation.session, SessionUsageUpdatedEvent
        session.report("metrics_collected", lambda: MetricsCollectedEvent(metrics=report))
        session.report("session_usage_updated", lambda: updated(usage=self.summary()))
        self._spend()
        session.deliver()

    def cut_off(self) -> None:
        """A model, or a voice, was left in the middle of an answer: let it not go on."""
        pools = [pool for pool in map(put_aside, self._models) if pool is not None]
        for pool in pools if not self._scope.closing else []:
            self._scope.start("cut off", close_aside(pool))

    def _settle(self) -> None:
        """Note what was thrown away of what has been decided meanwhile."""
        for fate in [each for each in self._undecided if each.let_out is not None]:
            for report in self._undecided.pop(fate):
                if not fate.let_out:
                    self._thrown_away.collect(report)
                    self._costs.throw_away(report)

    def _spend(self) -> None:
        """Tell how much of the budget is gone; at its end what was asked for is said, and no
        more."""
        session = self._conversation.session
        part, budget = self._costs.over(session.budget), session.budget or 0.0
        if part is None:
            return
        spent = BudgetSpentEvent(dollars=part * budget, budget=budget)
        session.report("budget_spent", lambda: spent)
        if part >= 1.0:
            logger.warning("the budget of $%s is spent: the session ends", budget)
            session.shutdown(drain=True)

    def _failed(self, error: Any) -> None:
        """A model's own retries are told of; what it gives up on ends its stream, and is told
        of there."""
        if self._ours and getattr(error, "recoverable", False):
            talk = self._conversation
            agent = talk.agent
            of = {"stt_error": agent.stt, "llm_error": agent.llm, "tts_error": agent.tts}
            source = of.get(error.type) or agent
            talk.session.report("error", lambda: ErrorEvent(error=error, source=source))
            talk.session.deliver()
