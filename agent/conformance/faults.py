"""Whatever a model's server does wrong is one clear event, and the call goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from antiphon.conformance.checks import Check, see
from antiphon.conformance.talking import Talk, talking
from antiphon.conformance.wire import Asked, Reply, Server
from antiphon.simulate import listens, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.conformance.provider import Provider

SAID: Final = "One two three four five six. Seven eight nine ten eleven twelve."
AGAIN: Final = "I am here again."
MANY: Final = 20  # requests for one answer: LiveKit's four times the five of a client of its own


def _mending(fault: Reply) -> Callable[[Asked], Reply]:
    """Answers `fault` to the first turn, however often it is asked, and mends for the second."""

    def script(asked: Asked) -> Reply:
        last = [text for role, text in asked.said if role == "user"][-1]
        return Reply(AGAIN) if last.endswith("again") else fault

    return script


async def _two_turns(provider: Provider, fault: Reply) -> Talk:
    """A turn in which it fails, and one in which it does not."""
    server = Server(provider.speaks(), script=_mending(fault))
    async with talking(provider, server, faults=True) as talk:
        await talk.call.play(says("hello"), listens())
        await talk.call.play(says("hello again"), listens())
    return talk


def _answered_after_all(talk: Talk) -> None:
    said = talk.call.said("agent")
    see(said[-1:] == [AGAIN], f"the next turn was not answered; this was heard: {said}")
    asked = [text for role, text in talk.asked[-1].said if role == "user"][-1]
    see(asked.endswith("hello again"), f"in the next turn it was told {asked!r}")


def _told(talk: Talk) -> str:
    """What the one event said that it ended in."""
    given_up = [e.error for e in talk.call.reported("error") if not e.error.recoverable]
    see(len(given_up) == 1, f"it ended in {len(given_up)} events of an error")
    (error,) = given_up
    see(error.type == "llm_error", f"it ended in a {error.type}")
    return f"{error.error} {error.error.__cause__} {getattr(error.error, 'status_code', '')}"


async def refuses(provider: Provider, status: str) -> str:
    """The server answers with an error's status."""
    talk = await _two_turns(provider, Reply(fault=status))
    _answered_after_all(talk)
    see(talk.call.said("agent") == [AGAIN], f"this was heard: {talk.call.said('agent')}")
    told = _told(talk)
    late = "llm_node gave nothing" in told  # its retries took longer than a caller waits
    see(status in told or late, f"the event does not tell of the {status}: {told}")
    requests = len(talk.asked) - 1
    see(requests <= MANY, f"it asked {requests} times")
    see(status != "401" or requests == 1, f"it asked {requests} times with a wrong key")
    return ""


async def unreachable(provider: Provider) -> str:
    """Nobody listens at its address in the first turn."""
    server = Server(provider.speaks(), script=_mending(Reply("This was never asked.")))
    async with talking(provider, server, faults=True, deaf=True) as talk:
        await talk.call.play(says("hello"), listens())
        see(not talk.asked, "it was asked where nobody listens")
        await talk.listen()
        await talk.call.play(says("hello again"), listens())
    _answered_after_all(talk)
    _told(talk)
    return ""


async def silent(provider: Provider) -> str:
    """It is asked and does not answer."""
    talk = await _two_turns(provider, Reply(fault="silence"))
    _answered_after_all(talk)
    _told(talk)
    return ""


async def dies(provider: Provider, fault: str) -> str:
    """What was heard before it died is heard once, and remembered."""
    talk = await _two_turns(provider, Reply(SAID, fault=fault))
    _answered_after_all(talk)
    told = [each.error for each in talk.call.reported("error")]
    see(told, "it was told in no event")
    see({each.type for each in told} == {"llm_error"}, f"it was told as {told}")
    see(len([e for e in told if not e.recoverable]) <= 1, "it was told more than once")
    first = talk.call.said("agent")[0]
    see(first.split()[:12] == SAID.split(), f"this was heard: {first}")
    remembered = " ".join(text for _, text in talk.asked[-1].said)
    see(SAID.split()[0] in remembered, "what was heard is not in the history")
    return ""


async def says_nothing(provider: Provider, fault: Reply) -> str:
    """It ends without a word, of its own or because a filter took them."""
    talk = await _two_turns(provider, fault)
    _answered_after_all(talk)
    see(talk.call.said("agent") == [AGAIN], f"this was heard: {talk.call.said('agent')}")
    given_up = [e for e in talk.call.reported("error") if not e.error.recoverable]
    see(len(given_up) <= 1, f"it ended in {len(given_up)} events of an error")
    return ""


async def hiccups(provider: Provider) -> str:
    """It fails once, and is asked again within the turn."""

    def script(asked: Asked) -> Reply:
        return Reply(fault="500") if len(server.asked) == 1 else Reply(AGAIN)

    server = Server(provider.speaks(), script=script)
    async with talking(provider, server, faults=True) as talk:
        await talk.call.play(says("hello"), listens())
    see(talk.call.said("agent") == [AGAIN], "it does not ask again")
    return ""


FAULTS: Final = (
    *(
        Check(status, f"{what} is one clear event", partial(refuses, status=status))
        for status, what in (
            ("401", "a wrong key"),
            ("429", "too many requests, and when to come again,"),
            ("500", "an error of the server"),
            ("503", "a server that is too busy"),
        )
    ),
    Check("refused", "nobody listens at its address, and later somebody does", unreachable),
    Check("silence", "a server that never answers is given up", silent),
    *(
        Check(fault, f"{what} is told, and what was heard is kept", partial(dies, fault=fault))
        for fault, what in (
            ("cut", "a stream that is cut in the middle"),
            ("stall", "a stream that stops in the middle"),
            ("broken", "a piece that cannot be read"),
        )
    ),
    Check(
        "filtered",
        "a filter that takes every word wedges nothing",
        partial(says_nothing, fault=Reply(fault="filtered")),
    ),
    Check("empty", "an empty answer wedges nothing", partial(says_nothing, fault=Reply(""))),
    Check("hiccup", "one failure is mended by asking again", hiccups),
)
