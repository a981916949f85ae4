"""What a voice must do in a call; a server makes its sound, and knows what it was given."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import inference, tts
from livekit.agents.metrics import TTSModelUsage

from antiphon.conformance.checks import AT_ONCE, Check, see
from antiphon.conformance.gateway_speech import Mouths
from antiphon.conformance.provider import Made, Provider
from antiphon.conformance.providers import INFERENCE, speech
from antiphon.conformance.studio import FAULTS, Studio
from antiphon.conformance.talking import given_up, visited
from antiphon.conformance.voices import WORD, Cartesia, ElevenLabs, Speech
from antiphon.simulate import Call, ScriptedSTT, ScriptedVAD, interrupts, listens, says

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

FIRST: Final = "Of course. There is a table for four at eight."
SECOND: Final = "You are welcome. See you on Friday."
STORY: Final = " ".join(f"Sentence number {n} tells of trains and of rain." for n in range(1, 21))


def speaking(
    provider: Provider, studio: Studio, *replies: str, faults: bool = False
) -> AbstractAsyncContextManager[Call]:
    """A call in which the provider's voice speaks."""
    engines: dict[str, Any] = {"stt": ScriptedSTT(), "vad": ScriptedVAD()}
    return visited(provider, studio, "tts", replies, faults=faults, **engines)


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
    return sum(int((abs(pcm.astype(int)) > 100).sum()) for _, pcm in call.played) / call.rate


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
    """It is told as one failure, what was heard is kept, and the next reply is spoken."""
    studio = Studio(provider.speaks(), fault=fault)
    async with speaking(provider, studio, FIRST, SECOND, faults=True) as call:
        await call.play(says("a table please"), listens())
        await studio.mend()
        await call.play(says("hello again"), listens())
    told = given_up(call, "tts_error")
    see(told, "nothing tells of it")
    *before, last = call.said("agent")
    see(last == SECOND, f"then this was heard: {call.said('agent')}")
    heard = before[0] if before else ""
    see(FIRST.startswith(heard.rstrip(".,")), f"this was heard: {heard}")
    see(heard or fault not in ("cut", "broken"), "what was heard is not in the history")
    return ""


ELEVENLABS_STAYS: Final = (
    "livekit-plugins-elevenlabs 1.8.9, tts.py:1076, keeps a connection that has gone silent"
)
OPENAI_PASSES_OVER: Final = (
    "livekit-plugins-openai 1.8.9, tts.py:305, passes over what it cannot read"
)
VOICES: Final = [
    Provider(
        "livekit inference tts",
        lambda _: inference.TTS("cartesia/sonic-3:a-voice"),
        Mouths,
        variables=INFERENCE.variables,
        kind=tts.TTS,
        made=Made('"cartesia/sonic-3:a-voice"'),
    ),
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
        faults={"silence": ELEVENLABS_STAYS},
    ),
    speech(
        "openai tts",
        "openai.TTS",
        Speech,
        tts.TTS,
        given={"response_format": "pcm", "base_url": "{url}/v1"},
        reads="OPENAI_API_KEY",
        faults={"broken": OPENAI_PASSES_OVER},
    ),
]
SPEAKING: Final = (
    Check("words", "all of a reply is spoken and heard", words),
    Check("barge-in", "a barge-in stops it, and history has what was heard", barge_in),
    Check("usage", "what it was given to speak is counted", usage),
    *(
        Check(fault, "it is told, and the next reply is spoken", partial(fails, fault=fault))
        for fault in FAULTS
    ),
)
