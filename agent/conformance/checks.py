"""What a language model must do in a call; each check says what it saw, or raises Failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from livekit.agents.metrics import LLMModelUsage

from antiphon.agent import Agent
from antiphon.conformance.talking import Failed, Talk, talking
from antiphon.conformance.wire import Reply, Server, Used
from antiphon.function_tools import function_tool
from antiphon.simulate import interrupts, listens, says

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from antiphon.conformance.provider import Provider

AT_ONCE: Final = 0.05  # seconds from a barge-in's decision to the connection's end
FIRST: Final = (
    "Of course. There is a table for four at eight. It is by the window, where one sees the river "
    "and the old bridge, and the kitchen is open until eleven. Shall I keep it for you? I would "
    "only need a name and a number where we can reach you on the day."
)
SECOND: Final = "You are welcome. See you on Friday."


@dataclass(frozen=True, slots=True)
class Check:
    """`run` plays it; what it returns qualifies the yes, and may be empty. `asks`: a sentence."""

    name: str
    asks: str
    run: Callable[[Provider], Awaitable[str]]


def see(fine: object, otherwise: str) -> None:
    """Fail unless `fine`."""
    if not fine:
        raise Failed(otherwise)


async def words(provider: Provider) -> str:
    """What it says is heard, from its first sentence on while it still speaks, and remembered."""
    async with talking(provider, Server(provider.speaks(), FIRST, SECOND)) as talk:
        await talk.call.play(says("a table for four please"), listens())
        await talk.call.play(says("thank you"), listens())
    _said(talk, FIRST, SECOND)
    first, second = talk.asked
    models = {first.model, second.model} - ({provider.model} if provider.model else {first.model})
    see(not models, f"it asked for the model {first.model}")
    see(("user", "a table for four please") in first.said, f"it was told {first.said}")
    see(any("Be brief." in text for _, text in first.said[:1]), "it was not told its instructions")
    turns = [("user", "a table for four please"), ("assistant", FIRST), ("user", "thank you")]
    see(second.said[-3:] == turns, f"in the second turn it was told {second.said}")
    heard = talk.call.records("audible")[0].t + talk.call.start
    see(heard < first.ended, "nothing was heard before it had said everything")
    return ""


class Waiter(Agent):
    """Takes bookings; a model that is asked for a table calls `book`."""

    def __init__(self) -> None:
        super().__init__(instructions="Book tables.")
        self.booked: list[tuple[str, int]] = []

    @function_tool
    async def book(self, day: str, people: int) -> str:
        """Book a table.

        Args:
            day: the day of the week
            people: how many come
        """
        self.booked.append((day, people))
        return f"booked for {people} on {day}"


async def tool(provider: Provider) -> str:
    """A tool is called with its arguments, and the reply after it is heard."""
    waiter = Waiter()
    book = Reply("One moment.", calls=(("book", {"day": "Friday", "people": 4}),))
    server = Server(provider.speaks(), book, SECOND)
    async with talking(provider, server, agent=waiter) as talk:
        await talk.call.play(says("a table for four on friday"), listens())
    see(waiter.booked == [("Friday", 4)], f"the tool was called with {waiter.booked}")
    _said(talk, "One moment.", SECOND)
    first, second = talk.asked
    see(first.tools == second.tools == ["book"], f"it was told of the tools {first.tools}")
    see(len(second.called) == 1, f"it was told of the calls {second.called}")
    ((call_id, name, arguments),) = second.called
    told = (name, arguments)
    see(told == ("book", {"day": "Friday", "people": 4}), f"it was told of the call {told}")
    result = second.results.get(call_id, "")
    see("booked for 4 on Friday" in result, f"it was told the result {result!r}")
    return ""


async def two_tools(provider: Provider) -> str:
    """Two tools are called at once, and both results come back."""
    waiter = Waiter()
    calls = (("book", {"day": "Friday", "people": 4}), ("book", {"day": "Sunday", "people": 2}))
    server = Server(provider.speaks(), Reply(calls=calls), SECOND)
    async with talking(provider, server, agent=waiter) as talk:
        await talk.call.play(says("two tables please"), listens())
    booked = sorted(waiter.booked)
    see(booked == [("Friday", 4), ("Sunday", 2)], f"the tool was called with {booked}")
    second = talk.asked[1]
    see(len(second.results) == 2, f"it was told the results {second.results}")
    given = [arguments for _, _, arguments in second.called]
    see(given == [arguments for _, arguments in calls], f"it was told of the calls {given}")
    return ""


async def barge_in(provider: Provider) -> str:
    """A barge-in closes the connection, and nothing of the reply comes into the next one."""
    server = Server(provider.speaks(), Reply(endless=True), SECOND)
    async with talking(provider, server) as talk:
        await talk.call.play(
            says("count for me"), interrupts("stop that is enough", into=4.0), listens()
        )
    (cut,) = talk.call.records("cut")
    story, end = talk.asked
    heard, answer = talk.call.said("agent")
    see(answer == SECOND, f"after it this was heard: {answer}")
    see(end.said[-1] == ("user", "stop that is enough"), f"then it was told {end.said[-1]}")
    role, text = end.said[-2]
    fine = role == "assistant" and text.split() == heard.split()
    see(fine, f"it was told that this was heard: {text}")
    see(story.left is not None, "the connection stays open")
    late = (story.left or 0.0) - talk.call.start - cut.t
    see(late <= AT_ONCE, f"closed {late:.1f} s later; nothing of it is heard")
    return f"{1000 * late:.0f} ms" if late >= 0.001 else ""


async def usage(provider: Provider) -> str:
    """What it used is counted once and right, in a conversation with a tool."""
    first, second = Used(prompt=120, cached=40, out=9), Used(prompt=150, cached=60, out=7)
    calling = "tool" not in provider.untried
    calls = (("book", {"day": "Friday", "people": 4}),) if calling else ()
    replies = Reply("One moment.", calls=calls, used=first), Reply("It is done.", used=second)
    server = Server(provider.speaks(), *replies)
    async with talking(provider, server, agent=Waiter()) as talk:
        await talk.call.play(says("a table for four on friday"), listens())
        if not calling:
            await talk.call.play(says("is it done"), listens())
    used = used_by(talk)
    counted = provider.model in ("", used.model)
    see(counted, f"it was counted for the model {used.model!r}")
    see(used.provider, "it was counted for no provider")
    into, cached, out = used.input_tokens, used.input_cached_tokens, used.output_tokens
    see(into == 270, f"270 tokens went in and {into} were counted")
    see(out == 16, f"16 tokens came out and {out} were counted")
    see(cached in (0, 100), f"100 tokens were cached and {cached} were counted")
    return "" if cached else "cached ones are not told"


def used_by(talk: Talk) -> LLMModelUsage:
    """What the one language model of the call used."""
    found = [u for u in talk.call.session.usage.model_usage if isinstance(u, LLMModelUsage)]
    see(len(found) == 1, f"{len(found)} models were counted")
    return found[0]


def _said(talk: Talk, *texts: str) -> None:
    said: list[Any] = talk.call.said("agent")
    see(said == list(texts), f"this was heard: {said}")


TALKING: Final = (
    Check("words", "its words are heard while it still speaks, and remembered", words),
    Check("tool", "a tool is called, and the reply after it is heard", tool),
    Check("two tools", "two tools are called at once", two_tools),
    Check("barge-in", "a barge-in closes the connection within 50 ms", barge_in),
    Check("usage", "what it used is counted once and right", usage),
)
