"""Conversations at random, each from a number: the same invariants as everywhere.

`ANTIPHON_FUZZ=20000 pytest -k fuzz` runs more of them; a failure names the number to run alone.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import StopResponse, llm

from antiphon import CloseReason
from tests.scripted import (
    Act,
    Call,
    Plain,
    Voice,
    at,
    check_sound,
    cough,
    hold,
    sentence,
    user,
)
from tests.scripted_models import modelled
from tests.scripted_producers import REALTIME, model_of
from tests.scripted_response import Pace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon import Agent

RUNS = int(os.environ.get("ANTIPHON_FUZZ", "2000"))
LANES = 8
ACKNOWLEDGEMENTS = ["mm-hmm", "yeah", "okay", "right"]


class Failing(Plain):
    """Its nodes and its hook fail, hang, stop early or unwind slowly, as the dice say."""

    def __init__(self, call: Call, dice: random.Random, badness: float) -> None:
        super().__init__(call.caller, call.voice, think=dice.choice([0.0, 0.05, 0.3, 0.9]))
        self.dice, self.badness = dice, badness

    def llm_node(self, *args: Any) -> Any:
        return self.through(super().llm_node(*args))

    def tts_node(self, *args: Any) -> Any:
        return self.through(super().tts_node(*args))

    def through(self, source: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        if self.dice.random() >= self.badness:
            return source
        return self.badly(source, self.dice.choice(["raise", "end", "hang", "slow"]))

    async def badly(self, source: AsyncGenerator[Any, None], how: str) -> AsyncGenerator[Any, None]:
        left = self.dice.randrange(6)
        try:
            async for item in source:
                if how != "slow" and not left:
                    break
                left -= 1
                yield item
            if how == "raise":
                raise LookupError("as the dice said")
            if how == "hang":
                await asyncio.sleep(1e6)
        finally:
            await source.aclose()
            if how == "slow":
                await asyncio.sleep(0.15)


class Hooking(Failing):
    async def on_user_turn_completed(self, *_: object) -> None:
        await asyncio.sleep(self.dice.choice([0.0, 0.0, 0.2, 1.1]))
        fate = self.dice.random()
        if fate < self.badness / 2:
            raise LookupError("the hook's own")
        if fate < self.badness:
            raise StopResponse


class Run:
    """One random conversation: its cues are drawn before it begins."""

    def __init__(self, number: int, producer: str = "pipeline") -> None:
        self.producer = producer
        self.dice = random.Random(number)
        self.said = 0
        self.cleared = False
        self.until: float | None = None
        self.call = Call(voice=Voice(first=self.dice.choice([0.01, 0.1, 0.4])))

    def agent(self, call: Call) -> Agent:
        if self.producer == "realtime":
            return self.spoken(call)
        fate = self.dice.random()
        if fate < 0.1:
            return modelled(call, streaming=self.dice.random() < 0.5)
        kind = Hooking if fate < 0.4 else Failing
        return kind(call, self.dice, self.dice.choice([0.0, 0.0, 0.2, 0.5]))

    def spoken(self, call: Call) -> Agent:
        agent = self.dice.choice(REALTIME)(call)
        badness, model = self.dice.choice([0.0, 0.0, 0.3]), model_of(agent)
        late = 0.0 if self.until is not None else self.dice.choice([0.0, 0.6, 2.0])
        model.pace = Pace(self.dice.choice([0.02, 0.15, 0.6]), transcribed=late)

        def refuses() -> Exception | None:
            return llm.RealtimeError("as the dice say") if self.dice.random() < badness else None

        model.refuses = refuses
        return agent

    def word(self) -> str:
        self.said += 1
        n = self.said
        return (
            "z"
            + "aeiou"[n % 5]
            + "bdfgk"[n // 5 % 5]
            + "aeiou"[n // 25 % 5]
            + "mnprt"[n // 125 % 5]
        )

    def caller(self) -> list[Act]:
        cues: list[Act] = []
        now = self.dice.uniform(0.0, 1.0)
        while now < 9.0:
            lasts = self.dice.uniform(0.1, 1.2)
            final = self.dice.choice([0.05, 0.25, 0.25, 0.7])
            fate = self.dice.random()
            if fate < 0.15:
                cues += cough(now, lasts)
            elif fate < 0.3:
                cues += user(now, now + lasts, self.dice.choice(ACKNOWLEDGEMENTS), final=final)
            else:
                words = " ".join(self.word() for _ in range(self.dice.randint(1, 4)))
                cues += user(now, now + lasts, words, final=final)
            now += lasts + max(final, 0.2) + self.dice.choice([0.0, 0.1, 0.4, 1.0, 2.5])
        return cues

    def application(self) -> list[Act]:
        return [
            cue
            for _ in range(self.dice.randint(0, 6))
            for cue in at(self.dice.uniform(0.0, 10.0), self.call_of_the_application())
        ]

    def call_of_the_application(self) -> Any:
        number = self.dice.randrange(10)
        if number < 3:
            first, protected = self.dice.randrange(3000, 200000), self.dice.random() < 0.3
            allowed = not protected
            return lambda call: call.say(sentence(first, 8), allow_interruptions=allowed)
        if number < 4:
            return lambda call: call.handles.append(call.session.generate_reply())
        if number < 6:
            return lambda call: call.session.interrupt(force=True)
        if number < 7:
            return lambda call: call.session.commit_user_turn(transcript_timeout=0.3)
        if number < 8:
            return self.clear
        if number < 9:
            return lambda call: self.protect(call, False)
        return lambda call: self.protect(call, True)

    def protect(self, call: Call, allowed: bool) -> None:
        speech = call.session.current_speech
        if speech is not None and not speech.interrupted:
            speech.allow_interruptions = allowed

    def clear(self, call: Call) -> None:
        self.cleared = True
        call.session.clear_user_turn()

    def hold(self) -> None:
        until = self.until = self.dice.choice([None, None, self.dice.uniform(0.0, 12.0)])
        probe = user(80.0, 80.5, "zzprobe") if until is None else []
        late = at(90.0, lambda call: None) if self.producer == "realtime" else []
        hold(
            self.caller(),
            self.application(),
            probe,
            late,
            agent=self.agent,
            call=self.call,
            until=until,
        )
        self.check(answered=until is None)

    def check(self, *, answered: bool) -> None:
        call = self.call
        assert call.text("assistant") == call.heard
        said, kept = call.caller.words, call.text("user")
        ended = any(event.reason is CloseReason.ERROR for event in call.reported("close"))
        if not (self.cleared or ended):
            assert kept == said
        assert [w for w in said if w in kept and w[0] == "z"] == [w for w in kept if w[0] == "z"]
        check_sound(call)
        assert not call.log, [record.getMessage() for record in call.log]
        assert all(handle.done() for handle in call.handles)
        assert not call.strays
        assert len(call.reported("close")) == 1
        if answered and not ended:
            assert "zzprobe" in kept


@pytest.mark.timeout(0)
@pytest.mark.parametrize("lane", range(LANES))
@pytest.mark.parametrize(("producer", "part"), [("pipeline", 1), ("realtime", 4)])
def test_fuzzed_conversations_keep_every_promise(producer: str, part: int, lane: int) -> None:
    for number in range(lane, RUNS // part, LANES):
        try:
            Run(number, producer).hold()
        except BaseException as error:
            error.add_note(f"conversation number {number}")
            raise
