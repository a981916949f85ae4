"""Steering through the menu of a machine that has answered: `ivr_detection`.

The model presses keys (`send_dtmf_events`). What it does not see by itself it is asked to act on:
a menu that says the same again and again, and one that has said all and waits.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import NOT_GIVEN, NotGivenOr

from antiphon.beta.tools import send_dtmf_events

if TYPE_CHECKING:
    from livekit.agents import (
        AgentStateChangedEvent,
        UserInputTranscribedEvent,
        UserStateChangedEvent,
        llm,
    )

    from antiphon.agent import Agent
    from antiphon.session import AgentSession

logger = logging.getLogger("antiphon.ivr")

SILENCE: Final = 5.0  # seconds in which nobody speaks: the menu waits for a key
KEPT: Final = 20  # things that were said, which the last one is compared with
ALIKE: Final = 0.85  # the cosine of two texts that say the same
IN_A_ROW: Final = 3
WORD: Final = re.compile(r"\b\w\w+\b")


class Repetition:
    """Whether a voice goes round in a circle: texts are vectors of their words, each weighed by how
    few of the texts have it (TF-IDF, smoothed: Manning et al., 2008, section 6.2).

    Mutable state: the last texts, and how many in a row were alike to an earlier one.
    """

    def __init__(self) -> None:
        self._texts: deque[Counter[str]] = deque(maxlen=KEPT)
        self._in_a_row = 0

    def heard(self, text: str) -> bool:
        """True when that was one time too many; from then on it is counted anew."""
        self._texts.append(Counter(WORD.findall(text.lower())))
        weights = self._weights()
        *before, last = [_unit(each, weights) for each in self._texts]
        alike = any(sum(w * last.get(t, 0.0) for t, w in each.items()) > ALIKE for each in before)
        self._in_a_row = self._in_a_row + 1 if alike else 0
        if self._in_a_row < IN_A_ROW:
            return False
        self._texts.clear()
        self._in_a_row = 0
        return True

    def _weights(self) -> dict[str, float]:
        every = Counter(word for text in self._texts for word in text)
        number = 1 + len(self._texts)
        return {word: math.log(number / (1 + count)) + 1 for word, count in every.items()}


def _unit(text: Counter[str], weights: dict[str, float]) -> dict[str, float]:
    weighed = {word: count * weights[word] for word, count in text.items()}
    length = math.hypot(*weighed.values())
    return {word: weight / length for word, weight in weighed.items()} if length else {}


class Menu:
    """Listens to what a session hears, from when it is made until the session closes.

    Mutable state: who is silent, the timer, and what was said.
    """

    def __init__(self, session: AgentSession[Any], heard: str = "") -> None:
        """`heard`: what the machine has said already; it may be silent by now."""
        self._session = session
        self._repetition = Repetition()
        self._states = (session.user_state, session.agent_state) if heard else ("", "")
        self._timer: asyncio.TimerHandle | None = None
        session.menu = self
        session.on("user_state_changed", self._user)
        session.on("agent_state_changed", self._agent)
        session.on("user_input_transcribed", self._transcribed)
        session.on("close", self.close)
        if heard:
            self._repetition.heard(heard)
            self._watch()

    def close(self, _: object = None) -> None:
        """Listen no more, and offer no keys."""
        session = self._session
        session.menu = None
        session.off("user_state_changed", self._user)
        session.off("agent_state_changed", self._agent)
        session.off("user_input_transcribed", self._transcribed)
        session.off("close", self.close)
        self._rest()

    def keys(self, agent: Agent) -> list[llm.Tool]:
        """What that agent is offered beside its own: the keys, unless it has them."""
        known = {tool.id for tool in [*agent.tools, *self._session.tools]}
        return [] if send_dtmf_events.id in known else [send_dtmf_events]

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final and self._repetition.heard(event.transcript):
            logger.info("the menu repeats itself: the model is asked to do something else")
            self._session.commit_user_turn(stt_flush_duration=0.0, skip_reply=True)
            self._act(allow_interruptions=False)

    def _user(self, event: UserStateChangedEvent) -> None:
        self._states = (event.new_state, self._states[1])
        self._watch()

    def _agent(self, event: AgentStateChangedEvent) -> None:
        self._states = (self._states[0], event.new_state)
        self._watch()

    def _watch(self) -> None:
        """Both are silent from now, or one is not; a user who is away now was silent before."""
        user, agent = self._states
        if not (user in ("listening", "away") and agent in ("idle", "listening")):
            self._rest()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SILENCE, self._silent)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _silent(self) -> None:
        if not self._session.alone:
            logger.info("the menu waits: the model is asked to go on")
            self._act()

    def _act(self, allow_interruptions: NotGivenOr[bool] = NOT_GIVEN) -> None:
        if not self._session.conversation.speaking.draining:
            self._session.generate_reply(allow_interruptions=allow_interruptions)
