"""A model at LiveKit Inference judges the voice over a reply, over a real socket on loopback."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web
from livekit.agents.utils import http_context

from antiphon import Agent, AgentSession
from antiphon.simulate import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.simulated_caller import CALLER, Caller
from tests.agent.side_by_side import Detector, Microphone, Sink

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]

STORY = " ".join(["Once upon a time there was a king who had a very long story to tell"] * 4)
INSTEAD = "the detector of speech and the words decide instead"


@dataclass
class Judge:
    """The server: `verdict` is what it answers to each piece of audio; None, nothing; it closes the
    connection instead at "dies"."""

    verdict: str | None
    status: int = 101
    settings: dict[str, Any] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.status != 101:
            return web.Response(status=self.status)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                self.heard.set()
                if self.verdict == "dies":
                    await socket.close(code=1011)
                elif self.verdict is not None:
                    await socket.send_str(self._verdict(message.data))
            elif json.loads(message.data)["type"] == "session.create":
                self.settings = json.loads(message.data)["settings"]
                await socket.send_str('{"type": "session.created", "default_threshold": 0.5}')
        return socket

    def _verdict(self, audio: bytes) -> str:
        asked = int.from_bytes(audio[:8], "little")
        verdict = {"type": self.verdict, "created_at": asked, "probabilities": [0.9, 0.9]}
        return json.dumps(verdict)


@asynccontextmanager
async def serving(judge: Judge, patch: pytest.MonkeyPatch) -> AsyncGenerator[None, None]:
    app = web.Application()
    app.router.add_get("/bargein", judge.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    patch.setenv("LIVEKIT_INFERENCE_URL", f"http://127.0.0.1:{port}")
    patch.setenv("LIVEKIT_INFERENCE_API_KEY", "key")
    patch.setenv("LIVEKIT_INFERENCE_API_SECRET", "a secret that is long enough to sign with")
    try:
        async with http_context.open():
            yield
    finally:
        await runner.cleanup()


class Call:
    """A session that tells a story; `states` are the agent's, `overlaps` what the model said."""

    def __init__(self, **interruption: Any) -> None:
        self.caller = Caller()
        CALLER.set(self.caller)
        interruption = {"mode": "adaptive", "backchannel_boundary": None, **interruption}
        turns: dict[str, Any] = {
            "turn_detection": "vad",
            "endpointing": {"min_delay": 0.1, "max_delay": 0.1},
            "interruption": interruption,
            "preemptive_generation": {"enabled": False},
        }
        self.session: AgentSession[Any] = AgentSession(
            vad=Detector(),
            stt=ScriptedSTT(),
            llm=ScriptedLLM(lambda _: "I hear you."),
            tts=ScriptedTTS(streaming=True),
            turn_handling=turns,  # type: ignore[arg-type]
        )
        self.states: list[str] = []
        self.overlaps: list[bool] = []
        self.session.on("agent_state_changed", lambda e: self.states.append(e.new_state))
        self.session.on("overlapping_speech", lambda e: self.overlaps.append(e.is_interruption))
        self.session.input.audio = Microphone(label="microphone")
        self.session.output.audio = Sink()

    async def story(self) -> Any:
        await self.session.start(Agent(instructions="Answer."), record=False)
        told = self.session.say(STORY)
        await self.until(lambda: self.states[-1:] == ["speaking"])
        await asyncio.sleep(0.2)  # a voice is noticed late: it began after the reply all the same
        return told

    async def until(self, true: Any) -> None:
        """Wait for something that must come; the test's own time limit is the bound."""
        while not true():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.01)

    @property
    def said(self) -> list[str]:
        return [m.text_content or "" for m in self.session.history.messages() if m.role == "user"]


async def test_words_that_a_model_takes_for_no_interruption_do_not_end_the_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = Judge("inference_done")
    async with serving(judge, monkeypatch):
        call = Call()
        told = await call.story()
        call.caller.starts()
        await judge.heard.wait()
        call.caller.says("no wait stop there", final=True)
        await asyncio.sleep(0.5)  # far longer than a voice may last without pausing a reply
        call.caller.stops()
        await call.until(lambda: call.said)
        assert call.said == ["no wait stop there"]
        assert call.states == ["listening", "speaking"] and not told.interrupted
        assert call.overlaps == [False]
        assert judge.settings["encoding"] == "s16le"
        await call.session.aclose()


async def test_a_voice_that_a_model_takes_for_an_interruption_ends_the_reply_whatever_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = Judge("bargein_detected")
    async with serving(judge, monkeypatch):
        call = Call()
        told = await call.story()
        call.caller.starts()
        await call.until(lambda: call.states[-1] == "listening")
        call.caller.says("yeah", final=True)
        call.caller.stops()
        await call.until(lambda: told.interrupted)
        await call.until(lambda: call.said)
        assert call.said == ["yeah"] and call.overlaps == [True]
        assert [u.type for u in call.session.usage.model_usage].count("interruption_usage") == 1
        await call.session.aclose()


async def test_a_voice_that_begins_with_the_reply_is_judged_by_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = Judge("inference_done")
    async with serving(judge, monkeypatch):
        call = Call(backchannel_boundary=(60.0, 0.0))
        told = await call.story()
        call.caller.starts()
        call.caller.says("no wait stop there", final=True)
        await call.until(lambda: told.interrupted)
        assert not judge.heard.is_set()
        await call.session.aclose()


@pytest.mark.parametrize("fault", ["refuses", "dies", "has no key"])
async def test_without_its_model_words_end_a_reply_as_ever_and_one_line_says_so(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    judge = Judge("dies", status=401 if fault == "refuses" else 101)
    async with serving(judge, monkeypatch):
        if fault == "has no key":
            for name in ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_API_KEY"):
                monkeypatch.delenv(name, raising=False)
        call = Call()
        told = await call.story()
        call.caller.starts()
        await call.until(lambda: INSTEAD in caplog.text)
        call.caller.says("no wait stop there", final=True)
        await call.until(lambda: told.interrupted)
        call.session.update_options(keyterms=[])
        await call.session.aclose()
    assert caplog.text.count(INSTEAD) == 1
