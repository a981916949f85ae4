"""What a realtime model is told of the conversation when its line has been lost and is there again.

Its plugin tells it what it had: all that it has made, though less was heard of it, and nothing of
what was broken off. It may be another model. So it is told what was heard.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import llm

    from antiphon.realtime_link import Link

LIMIT: Final = 2.0  # seconds for a plugin to tell a conversation again
MOMENT: Final = 0.05  # seconds between two looks


class Retold:
    """Mutable state: the items that the model has said it has; those of the last line, of which it
    has the text and no sound."""

    def __init__(self, link: Link) -> None:
        self.before: set[str] = set()
        self._link = link
        self._items: dict[str, llm.ChatItem] = {}
        link.session.on("remote_item_added", self._on_item)

    def _on_item(self, event: llm.RemoteItemAddedEvent) -> None:
        self._items[event.item.id] = event.item

    def again(self, remembered: Callable[[], llm.ChatContext]) -> None:
        """The line is there again: the conversation is to be as it is remembered then."""
        last, self._items = self._items, {}
        self.before |= self._link.known
        self._link.later("conversation", lambda: self._tell(last, remembered))

    async def _tell(
        self, last: dict[str, llm.ChatItem], remembered: Callable[[], llm.ChatContext]
    ) -> None:
        link, whole = self._link, bare(remembered())
        ours = {item.id for item in whole.items}
        told = {name for name, item in last.items() if item.type != "message" or item.content}
        await self._until_has(told & ours)
        link.known = ours
        if link.can.mutable_chat_context:
            await link.session.update_chat_ctx(merged(whole, link.session.chat_ctx.items))

    def shorten(self, message: str, text: str) -> None:
        """Of that message no more was heard than that."""

        async def do() -> None:
            mirror = self._link.session.chat_ctx.copy()
            at = mirror.index_by_id(message)
            if at is not None and self._link.can.mutable_chat_context:
                mirror.items[at] = mirror.items[at].model_copy(update={"content": [text]})
                await self._link.session.update_chat_ctx(mirror)

        self._link.later("conversation", do)

    async def _until_has(self, items: set[str]) -> None:
        """Wait until the model has these, as its plugin tells them again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LIMIT
        while loop.time() < until:
            if items <= {item.id for item in self._link.session.chat_ctx.items}:
                return
            await asyncio.sleep(MOMENT)


def merged(ours: llm.ChatContext, theirs: list[llm.ChatItem]) -> llm.ChatContext:
    """And what only the model has: pictures, and what it has begun meanwhile; calls by the names
    that it has for them."""
    names = {_call(item): item.id for item in theirs if _call(item)}
    for n, item in enumerate(ours.items):
        if _call(item) in names:
            ours.items[n] = item.model_copy(update={"id": names[_call(item)]})
    before = 0
    for item in theirs:
        at = ours.index_by_id(item.id)
        if at is None:
            ours.items.insert(before, item)
        before = before + 1 if at is None else at + 1
    return ours


def _call(item: llm.ChatItem) -> tuple[str, str] | None:
    if item.type == "function_call" or item.type == "function_call_output":
        return item.type, item.call_id
    return None


def bare(context: llm.ChatContext) -> llm.ChatContext:
    """What a model is told of a conversation: not what only we keep in it."""
    return context.copy(exclude_instructions=True, exclude_handoff=True, exclude_config_update=True)
