"""Callers who make it hard: every word of theirs is kept once, and what they want is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, function_tool
from antiphon.pipeline.endpointing import plain_words
from antiphon.simulate import (
    Act,
    Calls,
    Ears,
    does,
    hesitates,
    interrupts,
    pauses,
    says,
    simulate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import llm

    from antiphon.simulate import Call
    from antiphon.simulated_models import Answer

MENU = "Of course I can do that, and let me tell you that we have soup, fish, and a pie today."
NOTICE = "This is a notice that nobody may interrupt, so listen to it."
ENDLESS = " ".join(f"word{n}" for n in range(60))


class Billing(Agent):
    async def on_enter(self) -> None:
        self.session.say("This is billing, how may I help you today?")


class Host(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    @function_tool
    async def book(self) -> str:
        """Book."""
        await asyncio.sleep(0.7)
        return "booked"

    @function_tool
    async def bill(self) -> Agent:
        """Bill."""
        return Billing(instructions="Be brief.")


def mind(context: llm.ChatContext) -> Answer:
    last = context.items[-1]
    if last.type == "function_call_output":
        return "It is booked for you, see you tonight then."
    said = (last.text_content or "") if last.type == "message" else ""
    if "bill" in said:
        return Calls("I will put you through.").and_calls("bill")
    if "table" in said:
        return Calls("Let me see what I can do for you.").and_calls("book")
    return "For how many people shall that be, and at what time?" if "how" in said else MENU


def notice(call: Call) -> None:
    call.session.say(NOTICE, allow_interruptions=False)


def whispers(late: float, final: float) -> list[Act]:
    ears = Ears(noticed=late, silent=0.4, final=final)
    return [says("a table", at=1.0, lasts=1.0, ears=ears), says("for two", at=4.0, ears=ears)]


Script = tuple["Callable[[float], list[Act]]", tuple[float, ...]]

CALLERS: dict[str, Script] = {
    "hesitates": (
        lambda s: [says("I want", hesitates(s), "a table", hesitates(s), "for two", at=1.0)],
        (0.05, 0.3, 0.5, 0.7, 1.3, 2.9),
    ),
    "corrects themselves": (
        lambda s: [says("a table", at=1.0), says("no I mean for five", at=1.8 + s)],
        (0.1, 0.3, 0.5, 0.7, 1.2, 2.5, 4.1),
    ),
    "answers before the question is over": (
        lambda s: [says("how much", lasts=0.5), interrupts("four please at eight", into=s)],
        (0.01, 0.4, 1.5, 2.5, 3.0),
    ),
    "talks over what may not be interrupted": (
        lambda s: [does(notice, at=0.1), says("a table", at=s), says("and the bill", at=s + 1.6)],
        (0.3, 1.0, 2.2, 3.1, 4.4),
    ),
    "says yes": (
        lambda s: [says("tell me", at=1.0, lasts=0.5), says("yes", at=1.5 + s, lasts=0.25)],
        (0.1, 0.4, 0.6, 1.0, 3.0, 6.5),
    ),
    "says no": (
        lambda s: [says("tell me", at=1.0, lasts=0.5), says("no", at=1.5 + s, lasts=0.25)],
        (0.1, 0.4, 0.6, 1.0, 3.0, 6.5),
    ),
    "is silent for long": (
        lambda s: [says("tell me", at=1.0), says("a table", at=s), says("the bill", at=2 * s)],
        (16.0, 40.0),
    ),
    "spells a number": (
        lambda s: [says("five", hesitates(s), "five", hesitates(s), "five", hesitates(s), "two")],
        (0.1, 0.3, 0.5, 0.7, 1.1),
    ),
    "says the same again at once": (
        lambda s: [says("tell me", at=1.0, lasts=0.5), says("tell me", at=1.5 + s, lasts=0.5)],
        (0.02, 0.1, 0.2, 0.3, 0.5, 0.9),
    ),
    "talks without end": (lambda s: [says(ENDLESS, at=1.0, lasts=s)], (20.0, 40.0)),
    "whispers": (lambda s: whispers(s, 2 * s), (0.3, 0.6, 0.9)),
}


@pytest.mark.parametrize("who", CALLERS)
def test_a_caller_who_makes_it_hard_is_understood_once_and_answered(who: str) -> None:
    script, moments = CALLERS[who]
    for moment in moments:
        acts: Any = [*script(moment), pauses(25)]
        call = simulate(Host(), acts, llm=mind)
        users = [m.text_content or "" for m in call.messages if m.role == "user"]
        assert plain_words(" ".join(users)) == plain_words(" ".join(call.caller.words)), moment
        last = call.messages[-1]
        kept = who == "says yes"  # it may be an acknowledgement, and the reply goes on
        assert kept or (last.role == "assistant" and not last.interrupted), moment
