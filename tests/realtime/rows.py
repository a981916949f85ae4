"""The realtime models: how each is made, and the server that it talks to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.providers.rows import plugin
from tests.realtime import dialects
from tests.realtime.openai_wire import OpenAI

if TYPE_CHECKING:
    from livekit.agents import llm

    from tests.realtime.dialects import Dialect
    from tests.realtime.script import Model, Speaks


@dataclass(frozen=True, slots=True)
class Row:
    """`make(url, **options)` gives the plugin's model, `speaks(model)` the server's protocol."""

    name: str
    make: Callable[..., llm.RealtimeModel]
    speaks: Callable[[Model], Speaks]
    truncates: bool = True  # a message that was cut is cut at the provider's, too

    def __str__(self) -> str:
        return self.name


def _openai(name: str, dialect: Dialect) -> Row:
    def make(url: str, **options: Any) -> llm.RealtimeModel:
        model: llm.RealtimeModel = plugin(name).realtime.RealtimeModel(
            model=dialect.model, api_key=dialects.KEY, base_url=f"{url}/v1", **options
        )
        return model

    return Row(name, make, lambda model: OpenAI(model, dialect))


OPENAI: Final = _openai("openai", dialects.OPENAI)
XAI: Final = _openai("xai", dialects.XAI)
ROWS: Final = [OPENAI, XAI]
