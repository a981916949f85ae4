"""What a voice must do in a call; a server makes its sound, and knows what it was given."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import tts, utils
from livekit.agents.metrics import TTSModelUsage

from antiphon.conformance.checks import AT_ONCE, Check, see
from antiphon.conformance.providers import speech
from antiphon.conformance.studio import Studio, open_for_visits
from antiphon.conformance.talking import NO_DRAFT, Failed, brief
from antiphon.conformance.voices import RATE, WORD, Cartesia, ElevenLabs, Speech
from antiphon.options import ConnectOptions
from antiphon.session import AgentSession
from antiphon.simulate import (
    OWN,
    Call,
    ScriptedSTT,
    ScriptedVAD,
    calling,
    interrupts,
    listens,
    says,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.conformance.provider import Provider

FIRST: Final = "Of course. There is a table for four at eight."
SECOND: Final = "You are welcome. See you on Friday."
STORY: Final = " ".join(f"Sentence number {n} tells of trains and of rain." for n in range(1, 21))


@asynccontextmanager
async def speaking(
    provider: Provider, studio: Studio, *replies: str, faults: bool = False
) -> AsyncGenerator[Call, None]:
    """A call in which the provider's voice speaks, and every law of a call holds."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        await stack.enter_async_context(open_for_visits(studio))
        model = await stack.enter_async_context(provider.at(studio.url))
        session: AgentSession[Any] = AgentSession(
            stt=ScriptedSTT(),
            vad=ScriptedVAD(),
            tts=model,
            turn_handling=NO_DRAFT,
            conn_options=ConnectOptions(),
        )
        yield await stack.enter_async_context(
            calling(brief(), session=session, llm=list(replies), tts=OWN, allow_errors=faults)
        )
    if studio.refused:
        raise Failed(f"its request was refused: {studio.refused[0]}")


def _spoken(studio: Studio) -> str:
    return " ".join(visit.text for visit in studio.visits if visit.spoken)


async def words(provider: Provider) -> str:
    """All of a reply is spoken, in order, and heard."""
    studio = Studio(provider.speaks())
    async with speaking(provider, studio, FIRST, SECOND) as call:
        await call.play(says("a table please"), listens(), says("thank you"), listens())
    see(_spoken(studio) == f"{FIRST} {SECOND}", f"it was given to speak: {_spoken(studio)}")
    see(call.said("agent") == [FIRST, SECOND], f"this was heard: {call.said('agent')}")
    due = WORD * len(f"{FIRST} {SECOND}".split())
    played = _seconds(call)
    see(abs(played - due) <= 0.1, f"{due:.1f} s of sound were made and {played:.1f} s were heard")
    return ""


def _seconds(call: Call) -> float:
    rate = call.speaker.rate if call.speaker is not None else RATE
    return sum(int((abs(pcm.astype(int)) > 100).sum()) for _, pcm in call.played) / rate


async def barge_in(provider: Provider) -> str:
    """A barge-in stops it, and history has what was heard."""
    studio = Studio(provider.speaks())
    async with speaking(provider, studio, STORY, SECOND) as call:
        await call.play(
            says("tell me a story"), interrupts("stop that is enough", into=3.0), listens()
        )
    (cut,) = call.records("cut")
    heard, answer = call.said("agent")
    see(answer == SECOND, f"after it this was heard: {answer}")
    see(STORY.startswith(heard.rstrip(".,")), f"this was heard: {heard}")
    seconds = len(heard.split()) * WORD
    see(abs(seconds - 3.0) <= 2 * WORD, f"{len(heard.split())} words are told, of 3.0 s of sound")
    told = [visit for visit in studio.visits if visit.spoken and visit.began < call.start + cut.t]
    late = max(visit.last for visit in told) - call.start - cut.t
    shared = any(visit.text.endswith(SECOND) for visit in told)
    see(shared or late <= AT_ONCE, f"it goes on for {late:.1f} s; nothing of it is heard")
    return "its connection stays, for what follows" if shared else ""


async def usage(provider: Provider) -> str:
    """What it was given to speak is counted."""
    studio = Studio(provider.speaks())
    async with speaking(provider, studio, FIRST) as call:
        await call.play(says("a table please"), listens())
    used = [u for u in call.session.usage.model_usage if isinstance(u, TTSModelUsage)]
    see(used, "nothing was counted")
    counted, wanted = used[0].characters_count, len(FIRST)
    see(abs(counted - wanted) <= 1, f"{wanted} characters were spoken and {counted} were counted")
    return ""


async def fails(provider: Provider, fault: str) -> str:
    """What goes wrong is told, and the next reply is spoken."""
    studio = Studio(provider.speaks(), fault=fault)
    async with speaking(provider, studio, FIRST, SECOND, faults=True) as call:
        await call.play(says("a table please"), listens())
        studio.fault = ""
        await call.play(says("hello again"), listens())
    told = [e.error for e in call.reported("error")]
    given_up = [each for each in told if not each.recoverable]
    see(len(given_up) == 1, f"it ended in {len(given_up)} events of an error")
    see(given_up[0].type == "tts_error", f"it ended in a {given_up[0].type}")
    see(call.said("agent")[-1:] == [SECOND], f"then this was heard: {call.said('agent')}")
    return ""


VOICES: Final = [
    speech(
        "cartesia",
        "cartesia.TTS",
        Cartesia,
        tts.TTS,
        given={"base_url": "{url}"},
        reads="CARTESIA_API_KEY",
    ),
    speech(
        "elevenlabs",
        "elevenlabs.TTS",
        ElevenLabs,
        tts.TTS,
        given={"voice_id": "a-voice", "encoding": "pcm_24000", "base_url": "{url}/v1"},
        reads="ELEVEN_API_KEY",
    ),
    speech(
        "openai tts",
        "openai.TTS",
        Speech,
        tts.TTS,
        given={"response_format": "pcm", "base_url": "{url}/v1"},
        reads="OPENAI_API_KEY",
    ),
]
SPEAKING: Final = (
    Check("words", "all of a reply is spoken and heard", words),
    Check("barge-in", "a barge-in stops it, and history has what was heard", barge_in),
    Check("usage", "what it was given to speak is counted", usage),
    *(
        Check(fault, "it is told, and the next reply is spoken", partial(fails, fault=fault))
        for fault in ("401", "500", "silence", "cut")
    ),
)
