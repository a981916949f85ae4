"""Tests of models on the wire run on a loop of their own, and reach nothing but this machine."""

from __future__ import annotations

import asyncio
import functools
import inspect
import socket
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from antiphon.conformance import LoopbackLoop, NotInstalled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

PLUGINS = (
    "anthropic aws baseten cerebras google groq langchain mistralai openai perplexity xai "
    "assemblyai cartesia deepgram elevenlabs"
)
for _name in PLUGINS.split():  # before the first test: what is there by then, no test looks through
    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module(f"livekit.plugins.{_name}")
with suppress(ImportError):
    import_module("genai_prices")

OF_OTHERS: Final = [
    "ignore:Inheritance class AiohttpClientSession:DeprecationWarning",
    # aiobotocore leaves a stream that was not read to its end to the collector, which closes it.
    "ignore:.*function Connection.__del__:pytest.PytestUnraisableExceptionWarning",
]
# Anthropic's client leaves the connection of a request that failed to the collector.
LEFT_OPEN: Final = [
    "ignore:.*(socket.socket|_SelectorTransport):pytest.PytestUnraisableExceptionWarning",
]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"loopback": LoopbackLoop}


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket to any other address is refused by name; so is a look-up of any name."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo
    connect_ex = socket.socket.connect_ex

    def local(address: Any) -> Any:
        host = address[0] if isinstance(address, tuple) else ""
        if host not in ("", "127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test asked for {host}")
        return address

    monkeypatch.setattr(socket.socket, "connect", lambda s, to: connect(s, local(to)))
    monkeypatch.setattr(socket.socket, "connect_ex", lambda s, to: connect_ex(s, local(to)))
    monkeypatch.setattr(socket, "getaddrinfo", lambda h, *a, **k: look_up(local((h,))[0], *a, **k))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GOOGLE_GEMINI_BASE_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # what a test sets is undone after it


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = _forgiving_others(item.obj)
    try:
        return (yield)
    except NotInstalled as error:
        pytest.skip(str(error))


def _forgiving_others(test: Callable[..., Coroutine[object, object, None]]) -> object:
    """Clients of providers drop generators of their own when a reply is over; ours never may."""

    @functools.wraps(test)
    async def guarded(*args: object, **kwargs: object) -> None:
        ours, loop = sys.get_asyncgen_hooks(), asyncio.get_running_loop()

        def begun(generator: AsyncGenerator[object, object]) -> None:
            if not _foreign(generator) and ours.firstiter is not None:
                ours.firstiter(generator)

        def dropped(generator: AsyncGenerator[object, object]) -> None:
            if not _foreign(generator) and ours.finalizer is not None:
                ours.finalizer(generator)
            elif not loop.is_closed():
                loop.call_soon(lambda: loop.create_task(generator.aclose()))

        sys.set_asyncgen_hooks(begun, dropped)
        await test(*args, **kwargs)

    return guarded


def _foreign(generator: AsyncGenerator[object, object]) -> bool:
    return "site-packages" in generator.ag_code.co_filename  # type: ignore[attr-defined]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in here:
        leaving = LEFT_OPEN if "anthropic" in item.name else []
        for warning in [*OF_OTHERS, *leaving]:
            item.add_marker(pytest.mark.filterwarnings(warning))
