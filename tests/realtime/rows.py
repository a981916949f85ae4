"""The realtime models: how each is made, and the server that it talks to."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import inference, llm

from antiphon.conformance import gateway
from antiphon.conformance.providers import plugin
from tests.realtime import certificate, dialects
from tests.realtime.gemini_wire import Gemini
from tests.realtime.live_wire import Live
from tests.realtime.openai_wire import OpenAI
from tests.realtime.script import serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from tests.realtime.dialects import Dialect
    from tests.realtime.script import Model
    from tests.realtime.wire import Speaks


@dataclass(frozen=True, slots=True)
class Row:
    """`make(url, **options)` gives the plugin's model, `speaks(model)` the server's protocol."""

    name: str
    make: Callable[..., llm.RealtimeModel]
    speaks: Callable[[Model], Speaks]
    secure: bool = False  # its client speaks only over TLS
    truncates: bool = True  # a message that was cut is cut at the provider's, too
    times: bool = True  # words may come with the time at which they begin
    tells_reconnected: bool = True
    announces: bool = True  # a voice, as soon as it is heard
    raises_at_close: bool = True  # what ended its session is raised where that is closed
    tries: int = 3  # of its own, for a connection that was never there
    hush: int = 0  # samples of that value and less are silence

    def __str__(self) -> str:
        return self.name

    @asynccontextmanager
    async def serving(self, model: Model) -> AsyncGenerator[Model, None]:
        """Its server, while the block runs."""
        with ExitStack() as stack:
            context = None
            stack.enter_context(forgotten_failures())
            if self.secure:
                plugin("google")
                folder = Path(stack.enter_context(TemporaryDirectory()))
                context = certificate.make(folder)
                stack.enter_context(trusting(folder / "ca.pem"))
            async with serving(self.speaks(model), context):
                yield model


@contextmanager
def forgotten_failures() -> Iterator[None]:
    """OpenAI's plugin drops the future of a response that failed, and nobody has looked at it."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler() or type(loop).default_exception_handler

    def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not str(context.get("exception")).startswith("response failed"):
            before(loop, context)

    loop.set_exception_handler(told)
    try:
        yield
    finally:
        gc.collect()
        loop.set_exception_handler(before)


@contextmanager
def trusting(authority: Path) -> Iterator[None]:
    """Clients trust that authority, as the environment tells them to."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def _openai(name: str, dialect: Dialect) -> Row:
    def make(url: str, **options: Any) -> llm.RealtimeModel:
        model: llm.RealtimeModel = plugin(name).realtime.RealtimeModel(
            model=dialect.model, api_key=dialects.KEY, base_url=f"{url}/v1", **options
        )
        return model

    return Row(name, make, lambda model: OpenAI(model, dialect))


OPENAI: Final = _openai("openai", dialects.OPENAI)
XAI: Final = _openai("xai", dialects.XAI)


def _inference(url: str, **options: Any) -> llm.RealtimeModel:
    return inference.RealtimeModel(
        dialects.INFERENCE.model,
        base_url=f"{url}/v1",
        api_key=gateway.KEY,
        api_secret=gateway.SECRET,
        **options,
    )


def _google(url: str, **options: Any) -> llm.RealtimeModel:
    google = plugin("google")
    http = import_module("google.genai.types").HttpOptions(base_url=url)
    model: llm.RealtimeModel = google.realtime.RealtimeModel(
        api_key=dialects.KEY, http_options=http, **options
    )
    return model


TRAITS: Final[dict[str, Any]] = {
    "secure": True,
    "truncates": False,
    "times": False,
    "tells_reconnected": False,
    "announces": False,
    "raises_at_close": False,
    "tries": 0,
}
GEMINI: Final = Row("gemini", _google, Gemini, **TRAITS)


def _live(url: str, **options: Any) -> llm.RealtimeModel:
    """The model listens while it speaks: in the adapter that a session would put it into."""
    made = plugin("openai").realtime.GPTLiveModel(
        api_key=dialects.KEY, base_url=f"{url}/v1", **options
    )
    return llm.DuplexRealtimeAdapter(made)


def _live_inference(url: str, **options: Any) -> llm.RealtimeModel:
    made = inference.DuplexModel(
        dialects.INFERENCE_LIVE.model,
        base_url=f"{url}/v1",
        api_key=gateway.KEY,
        api_secret=gateway.SECRET,
        **options,
    )
    return llm.DuplexRealtimeAdapter(made)


OVERLAPS: Final[dict[str, Any]] = {"truncates": False, "hush": 100}
GPT_LIVE: Final = Row("gpt-live", _live, Live, **OVERLAPS)
INFERENCE_LIVE: Final = Row(
    "gpt-live by inference",
    _live_inference,
    lambda model: Live(model, dialects.INFERENCE_LIVE),
    **OVERLAPS,
)
INFERENCE: Final = Row(
    "livekit inference", _inference, lambda model: OpenAI(model, dialects.INFERENCE)
)
ROWS: Final = [OPENAI, XAI, INFERENCE, GEMINI]
CLIENTS: Final = [OPENAI, GEMINI]  # xAI's and the gateway's are OpenAI's, with other words
