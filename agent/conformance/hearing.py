"""What a recogniser must do in a call; the caller speaks aloud, and the server has the words."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectOptions,
    CloseReason,
    stt,
    tts,
    utils,
)
from livekit.agents.metrics import STTModelUsage

from antiphon.conformance.checks import Check, see
from antiphon.conformance.providers import speech
from antiphon.conformance.recognisers import AssemblyAI, Deepgram, Transcriptions
from antiphon.conformance.studio import Studio, open_for_visits
from antiphon.conformance.talking import NO_DRAFT, Failed, brief
from antiphon.nodes.local.vad import WebRTCVAD
from antiphon.options import ConnectOptions
from antiphon.session import AgentSession
from antiphon.simulate import OWN, Call, ScriptedTTS, calling, interrupts, listens, pauses, says
from antiphon.simulated_sound import voice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from antiphon.conformance.provider import Provider

FIRST, SECOND = "a table for four please", "thank you very much"
ANSWERS: Final = ["Of course. For when?", "You are welcome."]
LETTER: Final = 0.06  # seconds of sound
RATE: Final = 16_000
REPORTED: Final = 5.0  # seconds after which plugins tell what they have sent
GIVES_UP: Final = 15.0  # seconds: longer than all the tries of one failure


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


@asynccontextmanager
async def hearing(
    provider: Provider, studio: Studio, *, faults: bool = False
) -> AsyncGenerator[Call, None]:
    """A call in which the provider's recogniser listens, and every law of a call holds."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(utils.http_context.open())
        await stack.enter_async_context(open_for_visits(studio))
        model = await stack.enter_async_context(provider.at(studio.url))
        session: AgentSession[Any] = AgentSession(
            stt=model,
            vad=WebRTCVAD(),
            tts=ScriptedTTS(),
            turn_handling=NO_DRAFT,
            conn_options=ConnectOptions(),
        )
        common: dict[str, Any] = {"stt": OWN, "vad": OWN, "voice": Mouth()}
        yield await stack.enter_async_context(
            calling(brief(), session=session, llm=ANSWERS, allow_errors=faults, **common)
        )
    if studio.refused:
        raise Failed(f"its request was refused: {studio.refused[0]}")


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
    """The sound that it was sent is counted."""
    studio = Studio(provider.speaks(), [FIRST, SECOND])
    async with hearing(provider, studio) as call:
        await call.play(says(FIRST), listens(), pauses(6.0), says(SECOND), listens())
    used = [u for u in call.session.usage.model_usage if isinstance(u, STTModelUsage)]
    see(used, "nothing was counted")
    sent, counted = sum(visit.heard for visit in studio.visits), used[0].audio_duration
    see(sent > 0, "it was sent no sound")
    fine = sent - REPORTED <= counted <= sent + 0.1
    see(fine, f"{sent:.1f} s were sent and {counted:.1f} s were counted")
    return "" if sent - counted <= 0.1 else "not the last seconds of a call"


async def goodbye(provider: Provider) -> str:
    """When the call ends, its connection does."""
    studio = Studio(provider.speaks(), [FIRST])
    async with hearing(provider, studio) as call:
        await call.play(says(FIRST), listens())
        await call.session.aclose()
        gone = [visit.over or visit.left is not None for visit in studio.visits]
    see(all(gone), "its connection outlives the call")
    return ""


async def fails(provider: Provider, fault: str) -> str:
    """What goes wrong for a while is told, and after it the caller is heard again."""
    studio = Studio(provider.speaks(), repeat(SECOND), fault)
    async with hearing(provider, studio, faults=True) as call:
        await call.play(says(FIRST))
        await asyncio.sleep(GIVES_UP)
        studio.fault = ""
        if call.over:
            return _ended(call)
        before = len(call.said("user"))
        await call.play(says(SECOND), listens())
    told = [e.error for e in call.reported("error")]
    see(all(each.type == "stt_error" for each in told), f"it was told as {told}")
    see(len(call.said("user")) > before, f"the caller was not heard {GIVES_UP:.0f} s later")
    return "" if told else "nothing tells of it"


def _ended(call: Call) -> str:
    """As in LiveKit: a recogniser that has given up ends the call."""
    given_up = [e.error for e in call.reported("error") if not e.error.recoverable]
    see(given_up, "the call ended, and nothing told why")
    (closed,) = call.reported("close")
    see(closed.reason is CloseReason.ERROR, f"the call ended as {closed.reason}")
    return f"the call ends after {len(given_up)} tries, each told"


RECOGNISERS: Final = [
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
    ),
]
HEARING: Final = (
    Check("words", "what is said is heard, turn by turn", words),
    Check("barge-in", "words said over the agent end its reply", barge_in),
    Check("usage", "the sound that it was sent is counted", usage),
    Check("goodbye", "its connection ends with the call", goodbye),
    *(
        Check(fault, "after it the caller is heard again", partial(fails, fault=fault))
        for fault in ("401", "500", "silence", "cut")
    ),
)
