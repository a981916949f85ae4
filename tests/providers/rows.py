"""The models of the documentation: how each is made, and the protocol that it speaks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest
from livekit.agents import inference, llm

from tests.providers import gateway
from tests.providers.bedrock import Converse
from tests.providers.chat import Chat
from tests.providers.claude import Messages
from tests.providers.gemini import Gemini
from tests.providers.mistral import Conversations, MistralChat
from tests.providers.responses import Responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.providers.wire import Speaks

KEY: Final = "secret-key"


def plugin(name: str) -> Any:
    """The plugin of that name; skips the test where it is not installed."""
    wanted = f"livekit.plugins.{name}"
    return pytest.importorskip(wanted, reason=f"{wanted}: pip install -e '.[providers]'")


@dataclass(frozen=True, slots=True)
class Row:
    """A model of the documentation. `model` as its requests name it."""

    name: str
    make: Callable[[str], llm.LLM[Any]]  # from the server's address
    speaks: Callable[[], Speaks]
    model: str = "a-model"
    answers_tools: bool = True  # tools run here, not in the provider's place
    closes: bool = True  # a reply that is cut closes the connection; else the next request does
    sees: bool = True  # it takes images
    fetches: bool = True  # it fetches them by their addresses
    tells_cached: bool = True
    left_open: str = ""  # what its plugin's `aclose` forgets to close
    tries: int = 1  # of its own, for each of LiveKit's
    retries: bool = True  # it asks again after a server's error
    hides_status: bool = False  # its errors do not say what the server answered
    counted_twice: int = 0  # tokens that its plugin counts twice a request

    def __str__(self) -> str:
        return self.name


def _chat(name: str, of: str, *, base: str = "/v1", key: str = KEY, **more: Any) -> Row:
    """A model of OpenAI's protocol: `of` is "plugin.Class" or "plugin.Class.constructor"."""
    package, *path = of.split(".")

    def make(url: str) -> llm.LLM[Any]:
        maker = plugin(package)
        for part in path:
            maker = getattr(maker, part)
        given = {"model": "a-model", "api_key": KEY, "base_url": url + base, **asked}
        model: llm.LLM[Any] = maker(
            **{name: value for name, value in given.items() if value is not None}
        )
        return model

    asked = more.pop("given", {})
    wire = {k: more.pop(k) for k in ("packed", "extra") if k in more}
    return Row(name, make, lambda: Chat(f"{base}/chat/completions", key, **wire), **more)


def _azure(url: str) -> llm.LLM[Any]:
    model: llm.LLM[Any] = plugin("openai").LLM.with_azure(
        model="a-model",
        azure_endpoint=url,
        azure_deployment="here",
        api_version="2024-10-21",
        api_key=KEY,
    )
    return model


def _inference(url: str) -> llm.LLM[Any]:
    return inference.LLM(
        "openai/gpt-4.1-mini",
        base_url=f"{url}/v1",
        api_key=gateway.KEY,
        api_secret=gateway.SECRET,
    )


AZURE: Final = "/openai/deployments/here/chat/completions"
LETTA: Final = {"model": None, "agent_id": "agent-1"}
OLLAMA: Final = {"api_key": None}

CHATTING: Final = [
    Row("livekit inference", _inference, gateway.Gateway, model="openai/gpt-4.1-mini"),
    _chat("openai", "openai.LLM"),
    Row("azure openai", _azure, lambda: Chat(AZURE, KEY, "api-key")),
    _chat("baseten", "baseten.LLM"),
    _chat("cerebras", "cerebras.LLM", packed=True),
    _chat("deepseek", "openai.LLM.with_deepseek"),
    _chat("fireworks", "openai.LLM.with_fireworks", base="/inference/v1"),
    _chat("groq", "groq.LLM", base="/openai/v1"),
    _chat("letta", "openai.LLM.with_letta", given=LETTA, model="agent-1", answers_tools=False),
    _chat("ollama", "openai.LLM.with_ollama", given=OLLAMA, key="ollama"),
    _chat("openrouter", "openai.LLM.with_openrouter", base="/api/v1"),
    _chat("perplexity", "perplexity.LLM", base=""),
    _chat("telnyx", "openai.LLM.with_telnyx", base="/v2/ai"),
    _chat("together", "openai.LLM.with_together"),
    _chat("xai chat", "openai.LLM.with_x_ai"),
]


def _anthropic(url: str) -> llm.LLM[Any]:
    model: llm.LLM[Any] = plugin("anthropic").LLM(model="a-model", api_key=KEY, base_url=url)
    return model


def _google(url: str) -> llm.LLM[Any]:
    os.environ["GOOGLE_GEMINI_BASE_URL"] = url  # the plugin's tests clear it; see conftest
    model: llm.LLM[Any] = plugin("google").LLM(model="a-model", api_key=KEY)
    return model


def _bedrock(url: str) -> llm.LLM[Any]:
    aws = plugin("aws")
    os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = url
    model: llm.LLM[Any] = aws.LLM(
        model="a-model", api_key=KEY, api_secret="secret", region="us-east-1"
    )
    return model


def _responses(of: str, **given: Any) -> Callable[[str], llm.LLM[Any]]:
    def make(url: str) -> llm.LLM[Any]:
        base = f"{url}/v1" + ("" if given.get("use_websocket") is not True else "/responses")
        package = plugin(of)
        model: llm.LLM[Any] = package.responses.LLM(
            model="a-model", api_key=KEY, base_url=base, **given
        )
        return model

    return make


def _mistral(mode: str) -> Callable[[str], llm.LLM[Any]]:
    def make(url: str) -> llm.LLM[Any]:
        package = plugin("mistralai")
        client = import_module("mistralai.client").Mistral(api_key=KEY, server_url=url)
        model: llm.LLM[Any] = package.LLM(model="a-model", client=client, api_mode=mode)
        return model

    return make


OTHERS: Final = [
    Row("openai responses", _responses("openai", use_websocket=False), Responses),
    Row(
        "openai responses by websocket",
        _responses("openai", use_websocket=True),
        lambda: Responses(websocket=True, path="/v1/responses"),
        closes=False,
        retries=False,
    ),
    Row("xai", _responses("xai"), Responses),
    Row("mistral", _mistral("conversations"), Conversations, tells_cached=False),
    Row("mistral chat", _mistral("chat_completions"), MistralChat, tells_cached=False),
    Row("anthropic", _anthropic, Messages, counted_twice=1, left_open="_client"),
    Row("google", _google, Gemini),
    Row("amazon bedrock", _bedrock, Converse, tries=5, fetches=False),
]

ROWS: Final = [*CHATTING, *OTHERS]
# One of each protocol: what a client makes of a fault is the protocol's, not the address's.
CLIENTS: Final = [*CHATTING[:2], *OTHERS]


def named(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)
