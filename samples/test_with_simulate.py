"""Testing an agent by talking to it: a scripted caller, scripted models, no key, no waiting.

pytest samples/test_with_simulate.py
"""

from antiphon import Agent
from antiphon.simulate import Line, coughs, hesitates, interrupts, says, simulate


class Host(Agent):
    """Takes bookings, and asks again when somebody was not understood."""

    def __init__(self) -> None:
        super().__init__(instructions="You take bookings for a restaurant.")

    async def on_enter(self) -> None:
        self.session.on("user_transcription_timeout", self.ask_again)

    def ask_again(self, event: object) -> None:
        self.session.say("Sorry, could you say that again?")


def test_the_host_asks_again_when_the_caller_coughs() -> None:
    call = simulate(Host(), [coughs()], transcription_timeout=2.5)
    assert call.said("agent") == ["Sorry, could you say that again?"]


def test_the_host_lets_a_caller_think() -> None:
    call = simulate(Host(), [says("A table for", hesitates(0.4), "five")], llm=["At what time?"])
    assert call.said("user") == ["A table for five"]
    assert call.said("agent") == ["At what time?"]


def test_what_was_not_heard_was_not_said() -> None:
    script = [says("What is there today?"), interrupts("The soup, please", word="soup")]
    call = simulate(Host(), script, llm=["We have soup, fish, and a pie.", "Coming up."])
    assert call.lines[1] == Line("agent", "We have soup,", 2.693, 3.773, interrupted=True)
    assert call.said("agent")[-1] == "Coming up."
