"""Nodes that misbehave, and realtime models whose streams do: in tests, one call of one of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import TYPE_CHECKING, Any

from tests.scripted import Call, Plain
from tests.scripted_producers import model_of, our_turns

if TYPE_CHECKING:
    from antiphon import Agent

STREAMS = ["messages", "words", "sound"]  # of a realtime model's response
NODES = ["llm", "tts", "stt"]
Items = AsyncGenerator[Any, None]
Wrapping = Callable[["Call", Items], AsyncIterable[Any]]


class Wrapped(Plain):
    """One node goes through `wrap`; the first `times` calls of it, the others are as they were."""

    def __init__(self, call: Call, node: str, wrap: Wrapping, times: int = 1) -> None:
        super().__init__(call.caller, call.voice)
        self.call, self.node, self.wrap, self.left = call, node, wrap, times

    def through(self, node: str, source: Items) -> Any:
        if node != self.node or not self.left:
            return source
        self.left -= 1
        return self.wrap(self.call, source)

    def stt_node(self, *args: Any) -> Any:
        return self.through("stt", super().stt_node(*args))

    def llm_node(self, *args: Any) -> Any:
        return self.through("llm", super().llm_node(*args))

    def tts_node(self, *args: Any) -> Any:
        return self.through("tts", super().tts_node(*args))


def wrapped(node: str, wrap: Wrapping) -> Callable[[Call], Agent]:
    """An agent of which that node, or that stream of its realtime model, does so once."""
    if node in STREAMS:
        return lambda call: streamed(call, node, wrap)
    return lambda call: Wrapped(call, node, wrap)


def streamed(call: Call, stream: str, wrap: Wrapping) -> Agent:
    agent, left = our_turns(call), [wrap]

    def through(name: str, given: AsyncIterable[Any]) -> AsyncIterable[Any]:
        return left.pop()(call, generated(given)) if left and name == stream else given

    model_of(agent).through = through
    return agent


async def generated(given: AsyncIterable[Any]) -> Items:
    async for item in given:
        yield item


async def ignores_cancellation(call: Call, source: Items) -> Items:
    try:
        async for item in source:
            yield item
    finally:
        for _ in range(2):
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue
        await source.aclose()


async def raises_while_closing(call: Call, source: Items) -> Items:
    try:
        async for item in source:
            yield item
    finally:
        await source.aclose()
        raise LookupError("while closing")


async def sleeps_in_finally(call: Call, source: Items) -> Items:
    try:
        async for item in source:
            yield item
    finally:
        await source.aclose()
        await asyncio.sleep(100.0)


async def swallows_generator_exit(call: Call, source: Items) -> Items:
    try:
        async for item in source:
            with contextlib.suppress(GeneratorExit):
                yield item
    finally:
        await source.aclose()


async def yields_after_the_end(call: Call, source: Items) -> Items:
    last: list[Any] = []
    try:
        async for item in source:
            last = [item]
            yield item
    except asyncio.CancelledError:
        for item in last:
            yield item
        raise
    finally:
        await source.aclose()


async def gives_nothing(call: Call, source: Items) -> Items:
    await source.aclose()
    return
    yield


async def never_begins(call: Call, source: Items) -> Items:
    await source.aclose()
    await asyncio.sleep(1e6)
    yield


async def never_ends(call: Call, source: Items) -> Items:
    try:
        async for item in source:
            yield item
    finally:
        await source.aclose()
    await asyncio.sleep(1e6)
