"""LangGraph's messages that are not the model's: what a tool gives must not be spoken.

LiveKit's adapter streams the text of every message that a graph makes: of the model, and of tools,
of the system, of the user. Which is which shows only inside the graph. LangChain calls a handler
there that is found in the context; this one notes the texts that nobody is to hear.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar, copy_context
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from livekit.agents import llm

T = TypeVar("T")

ADAPTER: Final = "livekit.plugins.langchain"
WHOLE: Final = "LC_"  # how LiveKit names a message that came in one piece; tokens have the model's
_NOTES: ContextVar[Any] = ContextVar("antiphon.langchain", default=None)


class Heard:
    """Asks a model, and says which of its chunks are to be heard: all, unless it is a graph."""

    def __init__(self, engine: llm.LLM[Any]) -> None:
        self._notes = _handler()() if type(engine).__module__.startswith(ADAPTER) else None

    def asked(self, ask: Callable[[], T]) -> T:
        """What is asked here is noted."""
        if self._notes is None:
            return ask()
        context = copy_context()
        context.run(_NOTES.set, self._notes)
        return context.run(ask)

    def hears(self, chunk: llm.ChatChunk) -> bool:
        """Whether a chunk is the model's."""
        if self._notes is None or chunk.delta is None or not chunk.id.startswith(WHOLE):
            return True
        text = chunk.delta.content or ""
        if not self._notes.unspoken[text]:
            return True
        self._notes.unspoken[text] -= 1
        return False


@cache
def _handler() -> type[Any]:
    """The handler's class, which LangChain is told of once."""
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.tracers.context import register_configure_hook

    class Notes(BaseCallbackHandler):
        """Mutable state: the texts that are not to be heard, and the messages that were seen."""

        run_inline = True  # before whoever reads the stream can have the message

        def __init__(self) -> None:
            self.unspoken: Counter[str] = Counter()
            self._seen: list[BaseMessage] = []

        def on_chain_start(self, serialized: Any, inputs: Any, **_: Any) -> None:
            self._seen += _messages(inputs, BaseMessage)

        def on_chain_end(self, outputs: Any, **_: Any) -> None:
            for message in _messages(outputs, BaseMessage):
                new = not any(_same(message, known) for known in self._seen)
                self._seen.append(message)
                if new and not isinstance(message, AIMessage):
                    self.unspoken[message.text] += 1

    def _same(one: BaseMessage, other: BaseMessage) -> bool:
        return one is other or (one.id is not None and one.id == other.id)

    register_configure_hook(_NOTES, inheritable=True)
    return Notes


def _messages(found: Any, kind: type[T]) -> Iterator[T]:
    """The messages in what a node was given or gives: itself, a list, or the fields of a state."""
    if isinstance(found, kind):
        yield found
    elif isinstance(found, dict):
        for value in found.values():
            yield from _messages(value, kind)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _messages(value, kind)
    elif hasattr(found, "update") and not callable(found.update):  # a Command
        yield from _messages(found.update, kind)
