"""A host who takes bookings: the agent of the simulated calls."""

from __future__ import annotations

from typing import Any

from antiphon import Agent
from antiphon.simulate import Act, Call, simulate

SORRY = "Sorry, could you say that again?"
WINDOW = "By the window, or near the kitchen?"


class Host(Agent):
    """Asks again when it has not understood."""

    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="You take bookings.", **options)

    async def on_enter(self) -> None:
        self.session.on("user_transcription_timeout", lambda _: self.session.say(SORRY))


def held(*acts: Act, **options: Any) -> Call:
    return simulate(Host(), acts, **{"transcription_timeout": 2.5, **options})
