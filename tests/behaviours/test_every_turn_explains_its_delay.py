"""Promise 8: a turn's delay is a sum of named parts, and a barge-in tells its stopping time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import rtc

from antiphon import Agent, AgentSession
from antiphon.nodes.outputs import Paced
from antiphon.pipeline.observations import Transcript, VoiceStarted, VoiceStopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

HOOK, THINK, SPEAK = 0.375, 0.25, 0.125


class Slow(Agent):
    """Every stage takes a time of its own."""

    async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
        await asyncio.sleep(HOOK)

    async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> AsyncIterator[str]:
        await asyncio.sleep(THINK)
        yield "It is a quarter past three, and it rains."

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: Any
    ) -> AsyncIterator[rtc.AudioFrame]:
        async for _ in text:
            await asyncio.sleep(SPEAK)
            for _ in range(200):
                yield rtc.AudioFrame(bytes(960), 24_000, 1, 480)


async def conversation(drafts: bool) -> AgentSession[None]:
    session: AgentSession[None] = AgentSession(
        vad=None, turn_handling={"preemptive_generation": {"enabled": drafts}}
    )
    session.output.audio = Paced()
    await session.start(Slow(instructions="Answer."))
    observe, now = session.conversation.observe, asyncio.get_running_loop().time
    observe(VoiceStarted(now()))
    await asyncio.sleep(1.0)
    observe(VoiceStopped(now()))
    await asyncio.sleep(0.1875)
    observe(Transcript("what time is it", final=True))
    await asyncio.sleep(3.0)
    observe(VoiceStarted(now() - 0.0625))  # noticed a little late, as voices are
    await asyncio.sleep(0.5)
    observe(Transcript("stop please", final=False))
    await asyncio.sleep(0.5)
    await session.aclose()
    return session


def record(session: AgentSession[None], kind: str) -> dict[str, Any]:
    return dict(next(r for r in session.timeline.records if r.kind == kind).detail)


async def test_the_parts_of_a_delay_are_the_times_of_its_stages() -> None:
    delay = record(await conversation(drafts=False), "delay")

    assert delay["parts"] == {
        "recognition": 0.1875,
        "endpointing": 0.5 - 0.1875,
        "hook": HOOK,
        "model": THINK,
        "chunk": 0.0,
        "voice": SPEAK,
        "floor": 0.0,
    }
    assert delay["total"] == sum(delay["parts"].values())


async def test_a_turn_in_writing_is_answered_after_its_stages_too() -> None:
    session: AgentSession[None] = AgentSession()
    session.output.audio = Paced()
    await session.start(Slow(instructions="Answer."))
    await session.generate_reply(user_input="what time is it")
    await session.aclose()

    assert record(session, "delay") == {
        "parts": {
            **dict.fromkeys(("recognition", "endpointing", "hook", "chunk", "floor"), 0.0),
            "model": THINK,
            "voice": SPEAK,
        },
        "total": THINK + SPEAK,
    }


async def test_an_answer_shown_and_not_spoken_tells_its_delay() -> None:
    session: AgentSession[None] = AgentSession()
    await session.start(Slow(instructions="Answer."))
    await session.generate_reply(user_input="what time is it")
    await session.aclose()

    assert record(session, "delay")["total"] == THINK


async def test_what_was_prepared_in_the_meantime_costs_nothing() -> None:
    delay = record(await conversation(drafts=True), "delay")

    assert delay["parts"]["model"] == delay["parts"]["voice"] == 0.0
    assert delay["total"] == 0.5 + HOOK == sum(delay["parts"].values())


async def test_a_barge_in_tells_how_long_the_agent_went_on() -> None:
    stopped = record(await conversation(drafts=True), "stopped")

    assert {key: round(value, 6) for key, value in stopped.items()} == {
        "voice": 0.2,
        "detection": 0.1375,
    }
