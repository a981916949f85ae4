"""Models that stand in for one another, over real sockets: one coherent reply is heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import utils

from antiphon import AgentSession, llm
from antiphon.conformance import Asked, Provider, Reply, Server, named, serving
from antiphon.conformance.providers import CHATTING, OTHERS
from antiphon.conformance.talking import NO_DRAFT, brief
from antiphon.simulate import OWN, ScriptedSTT, ScriptedTTS, ScriptedVAD, calling, listens, says

if TYPE_CHECKING:
    from antiphon.simulate import Call

# Clients of other people leave the connection of a request that failed to the collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(socket.socket|_SelectorTransport):pytest.PytestUnraisableExceptionWarning"
)

WHOLE = "One two three four five six, seven eight nine ten eleven twelve, and no more."
WORDS = WHOLE.split()
SAID = " ".join(WORDS[:8])
# One of each protocol: what a client makes of a fault is the protocol's, not the address's.
CLIENTS = [*CHATTING[:2], *OTHERS]


def goes_on(asked: Asked) -> Reply:
    """What follows what it is told that it has said."""
    role, text = asked.said[-1]
    said = text.split() if role == "assistant" else []
    return Reply(" ".join(WORDS[len(said) :]))


class Held:
    """A call, and what each of two models was asked."""

    def __init__(self, call: Call, first: Server, second: Server) -> None:
        self.call = call
        self.first, self.second = first.asked, second.asked


async def held(provider: Provider, fault: Reply, **options: Any) -> Held:
    first = Server(provider.speaks(), script=lambda _: fault)
    openai = named("openai")
    second = Server(openai.speaks(), script=goes_on)
    async with (
        utils.http_context.open(),
        serving(first),
        serving(second),
        provider.at(first.url) as one,
        openai.at(second.url) as other,
    ):
        adapter = llm.FallbackAdapter([one, other], attempt_timeout=1.0, **options)
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(),
            vad=ScriptedVAD(),
            tts=ScriptedTTS(),
            llm=adapter,
            turn_handling=NO_DRAFT,
        )
        async with calling(brief(), session=session, llm=OWN, tts=OWN, allow_errors=True) as call:
            await call.play(says("hello"), listens())
        await asyncio.sleep(60)  # until its probes are over: it leaves them when it closes
        await adapter.aclose()
    await asyncio.sleep(1)  # what was told to close is closed by then
    assert second.refused == []
    return Held(call, first, second)


def given_up(call: Call) -> list[Any]:
    return [each for each in call.reported("error") if not each.error.recoverable]


def cases(*faults: str) -> pytest.MarkDecorator:
    found = [(provider, fault) for provider in CLIENTS for fault in faults]
    names = [f"{provider}-{fault}" for provider, fault in found]
    return pytest.mark.parametrize(("provider", "fault"), found, ids=names)


@cases("500", "silence")
async def test_a_model_that_is_dead_or_silent_is_not_noticed_by_the_listener(
    provider: Provider, fault: str
) -> None:
    held_call = await held(provider, Reply(fault=fault))
    assert held_call.call.said("agent") == [WHOLE]
    assert given_up(held_call.call) == []
    assert len(held_call.second) == 1


@cases("cut", "cut, begun anew", "stall")
async def test_a_model_that_dies_in_a_sentence_is_followed_by_one_that_goes_on(
    provider: Provider, fault: str
) -> None:
    fault, _, anew = fault.partition(", ")  # the adapter would have the next one begin anew
    held_call = await held(provider, Reply(SAID, fault=fault), retry_on_chunk_sent=bool(anew))
    assert held_call.call.said("agent") == [WHOLE]
    assert given_up(held_call.call) == []
    role, text = held_call.second[-1].said[-1]
    assert (role, text.split()) == ("assistant", WORDS[:8])
