"""What a recogniser must do in a call; the caller speaks aloud, and the server has the words."""

from __future__ import annotations

from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectOptions,
    CloseReason,
    inference,
    stt,
    tts,
)
from livekit.agents.metrics import STTModelUsage

from antiphon.conformance.checks import Check, see
from antiphon.conformance.gateway_speech import Ears
from antiphon.conformance.provider import Made, Provider
from antiphon.conformance.providers import INFERENCE, speech
from antiphon.conformance.recognisers import AssemblyAI, Deepgram, Realtime, Transcriptions
from antiphon.conformance.studio import FAULTS, Studio
from antiphon.conformance.talking import given_up, visited
from antiphon.nodes.local.vad import WebRTCVAD
from antiphon.simulate import Call, ScriptedTTS, interrupts, listens, pauses, says
from antiphon.simulated_sound import voice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from antiphon.simulated_models import Answers

FIRST, SECOND = "a table for four please", "thank you very much"
ANSWERS: Final = ["Of course. For when?", "You are welcome."]
LETTER: Final = 0.06  # seconds of sound
RATE: Final = 16_000
REPORTED: Final = 5.0  # seconds after which plugins tell what they have sent
WAITS: Final = 4.0  # seconds after which a caller who is not answered speaks again
OFTEN: Final = 3  # times


class Mouth(tts.TTS[Any]):
    """The caller's: a voice without words, as long as its text."""

    def __init__(self) -> None:
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=RATE, num_channels=1)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Sound(tts=self, input_text=text, conn_options=conn_options)


class _Sound(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="said", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(voice(LETTER * len(self.input_text)).tobytes())


def hearing(
    provider: Provider, studio: Studio, answers: Answers = ANSWERS, *, faults: bool = False
) -> AbstractAsyncContextManager[Call]:
    """A call in which the provider's recogniser listens."""
    engines: dict[str, Any] = {"vad": WebRTCVAD(), "tts": ScriptedTTS()}
    return visited(provider, studio, "stt", answers, faults=faults, voice=Mouth(), **engines)


async def words(provider: Provider) -> str:
    """What is said is heard, turn by turn, and shown while it is said where it streams."""
    studio = Studio(provider.speaks(), [FIRST, SECOND])
    async with hearing(provider, studio) as call:
        await call.play(says(FIRST), listens())
        await call.play(says(SECOND), listens())
    see(call.said("user") == [FIRST, SECOND], f"this was heard: {call.said('user')}")
    see(call.said("agent") == ANSWERS, f"this was answered: {call.said('agent')}")
    model = call.session.stt
    if model is not None and not model.capabilities.streaming:
        return "whole utterances"
    shown = [e for e in call.reported("user_input_transcribed") if not e.is_final]
    see(shown, "nothing was shown before it was certain")
    return ""


async def barge_in(provider: Provider) -> str:
    """Words said over the agent end its reply, and are answered."""
    studio = Studio(provider.speaks(), [FIRST, SECOND])
    async with hearing(provider, studio) as call:
        await call.play(says(FIRST), interrupts(SECOND, into=0.6), listens())
    see(call.said("user") == [FIRST, SECOND], f"this was heard: {call.said('user')}")
    see(call.said("agent")[-1] == ANSWERS[1], f"this was answered: {call.said('agent')}")
    see(len(call.records("cut")) == 1, "the reply was not cut")
    return ""


async def usage(provider: Provider) -> str:
    """The sound that it was sent is counted, or the tokens that the server says it was."""
    studio = Studio(provider.speaks(), [FIRST, SECOND])
    async with hearing(provider, studio) as call:
        await call.play(says(FIRST), listens(), pauses(6.0), says(SECOND), listens())
    used = [u for u in call.session.usage.model_usage if isinstance(u, STTModelUsage)]
    see(used, "nothing was counted")
    if tokens := sum(visit.tokens for visit in studio.visits):
        counted = used[0].input_tokens
        see(counted == tokens, f"{tokens} tokens went in and {counted} were counted")
        return "by tokens"
    sent, heard = sum(visit.heard for visit in studio.visits), used[0].audio_duration
    see(sent > 0, "it was sent no sound")
    fine = sent - REPORTED <= heard <= sent + 0.1
    see(fine, f"{sent:.1f} s were sent and {heard:.1f} s were counted")
    return "" if sent - heard <= 0.1 else "not the last seconds of a call"


async def goodbye(provider: Provider) -> str:
    """When the call ends, its connection does."""
    studio = Studio(provider.speaks(), [FIRST])
    async with hearing(provider, studio) as call:
        await call.play(says(FIRST), listens())
        await call.session.aclose()
        at_once = _gone(studio)
    see(_gone(studio), "its connection outlives the call")
    return "" if at_once else "when the model is closed"


def _gone(studio: Studio) -> bool:
    return all(visit.over or visit.left is not None for visit in studio.visits)


async def fails(provider: Provider, fault: str) -> str:
    """It is told as one failure, and when it is mended the caller is heard."""
    studio = Studio(provider.speaks(), repeat(FIRST), fault)
    async with hearing(provider, studio, lambda _: "Yes.", faults=True) as call:
        for _ in range(2):
            await call.play(says(FIRST, gap=None), pauses(WAITS))
        await studio.mend()
        known = len(_heard(call))
        shown = any(event.transcript for event in call.reported("user_input_transcribed"))
        for _ in range(OFTEN):
            if not call.over and len(_heard(call)) == known:
                await call.play(says(FIRST, gap=None), pauses(WAITS))
    told = given_up(call, "stt_error")
    see(told or fault == "empty", "nothing tells of it")
    if call.over and len(_heard(call)) == known:
        return _ended(call)
    heard = _heard(call)
    see(len(heard) > known, "the caller was not heard when it was mended")
    see(known or not shown, "what was shown is not in the history")
    lost = heard.count(FIRST.split()[-1]) < 3
    return "what was said meanwhile is lost" if lost else ""


def _heard(call: Call) -> Sequence[str]:
    return " ".join(call.said("user")).split()


def _ended(call: Call) -> str:
    """As in LiveKit: a recogniser that has given up ends the call."""
    (closed,) = call.reported("close")
    see(closed.reason is CloseReason.ERROR, f"the call ended as {closed.reason}")
    return "the call ends"


RECOGNISERS: Final = [
    Provider(
        "livekit inference stt",
        lambda _: inference.STT("deepgram/nova-3"),
        Ears,
        variables=INFERENCE.variables,
        kind=stt.STT,
        made=Made('"deepgram/nova-3"'),
    ),
    speech(
        "deepgram",
        "deepgram.STT",
        Deepgram,
        stt.STT,
        given={"model": "nova-3", "base_url": "{url}/v1/listen"},
        reads="DEEPGRAM_API_KEY",
        untried={"usage": "its plugin counts by the wall clock"},
    ),
    speech(
        "assemblyai",
        "assemblyai.STT",
        AssemblyAI,
        stt.STT,
        given={"base_url": "{url}"},
        reads="ASSEMBLYAI_API_KEY",
    ),
    speech(
        "openai stt",
        "openai.STT",
        Transcriptions,
        stt.STT,
        given={"model": "whisper-1", "base_url": "{url}/v1"},
        reads="OPENAI_API_KEY",
        close=lambda model: model._client.close(),
    ),
    speech(
        "openai stt, realtime",
        "openai.STT",
        Realtime,
        stt.STT,
        given={"model": "gpt-4o-transcribe", "use_realtime": True, "base_url": "{url}/v1"},
        reads="OPENAI_API_KEY",
        close=lambda model: model._client.close(),
    ),
]
HEARING: Final = (
    Check("words", "what is said is heard, turn by turn", words),
    Check("barge-in", "words said over the agent end its reply", barge_in),
    Check("usage", "the sound that it was sent is counted", usage),
    Check("goodbye", "its connection ends with the call", goodbye),
    *(
        Check(fault, "it is told, and then the caller is heard", partial(fails, fault=fault))
        for fault in FAULTS
    ),
)
