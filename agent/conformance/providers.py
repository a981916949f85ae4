"""The models of the documentation, each made as a program makes it: keys from the environment."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import inference, llm

from antiphon.conformance import gateway
from antiphon.conformance.bedrock import Converse
from antiphon.conformance.chat import Chat
from antiphon.conformance.claude import Messages
from antiphon.conformance.gemini import Gemini
from antiphon.conformance.graph import graph
from antiphon.conformance.mistral import Conversations, MistralChat
from antiphon.conformance.provider import KEY, Made, NotInstalled, Provider
from antiphon.conformance.responses import Responses
from antiphon.nodes.bring import by_pip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from antiphon.conformance.wire import Speaks

MODEL: Final = "a-model"


def plugin(name: str) -> Any:
    """LiveKit's plugin of that name; NotInstalled where it is not there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(f"livekit.plugins.{name}")
    except ImportError as error:
        raise NotInstalled(f"{error}: {by_pip(f'antiphon[{name}]')}") from error


def _provider(
    name: str,
    of: str,
    speaks: Callable[[], Any],
    *,
    extra: str = "",
    given: Mapping[str, Any],
    reads: Mapping[str, str],
    **traits: Any,
) -> Provider:
    """A model of a plugin: `of` is "plugin.Class" or "plugin.Class.constructor".

    What is `given` to it, and what it `reads` in the environment, may have the "{url}".
    """
    package, *path = of.split(".")

    def make(url: str) -> Any:
        maker = plugin(package)
        for part in path:
            maker = getattr(maker, part)
        filled = {k: v.format(url=url) if isinstance(v, str) else v for k, v in given.items()}
        return maker(**filled)

    written = [_argument(k, v) for k, v in given.items() if "{url}" not in str(v)]
    made = Made(
        constructor=f"{of}({', '.join(written)})",
        extra=extra or package,
        reads=tuple(name for name, text in reads.items() if "{url}" not in text),
        address=_address(given, reads),
    )
    return Provider(name, make, speaks, variables=reads, made=made, **traits)


def speech(
    name: str,
    of: str,
    speaks: Callable[[], Any],
    kind: type[Any],
    *,
    given: Mapping[str, Any],
    reads: str,
    **traits: Any,
) -> Provider:
    """A recogniser or a voice of a plugin; arguments as in `_provider`, and `reads` is its key."""
    return _provider(
        name, of, speaks, given=given, reads={reads: KEY}, kind=kind, model="", **traits
    )


def _argument(name: str, value: Any) -> str:
    return f"{name}=…" if name in ("model", "agent_id") else f"{name}={value!r}"


def _address(given: Mapping[str, Any], reads: Mapping[str, str]) -> str:
    for name, value in given.items():
        if "{url}" in str(value):
            return f'{name}="{value}"'
    for name, value in reads.items():
        if "{url}" in value:
            return f"{name}={value}"
    return ""


def _chat(
    name: str,
    of: str,
    variable: str | None,
    *,
    base: str = "/v1",
    key: str = KEY,
    packed: bool = False,
    given: Mapping[str, Any] | None = None,
    **more: Any,
) -> Provider:
    """A model of OpenAI's chat completions."""
    return _provider(
        name,
        of,
        lambda: Chat(f"{base}/chat/completions", key, packed=packed),
        given={**(given or {"model": MODEL}), "base_url": "{url}" + base},
        reads={variable: KEY} if variable else {},
        **more,
    )


def _inference(url: str) -> llm.LLM[Any]:
    return inference.LLM("openai/gpt-4.1-mini")


INFERENCE: Final = Provider(
    "livekit inference",
    _inference,
    gateway.Gateway,
    model="openai/gpt-4.1-mini",
    variables={
        "LIVEKIT_API_KEY": gateway.KEY,
        "LIVEKIT_API_SECRET": gateway.SECRET,
        "LIVEKIT_INFERENCE_URL": "{url}/v1",
    },
    made=Made(
        '"openai/gpt-4.1-mini"',
        reads=("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"),
        address="LIVEKIT_INFERENCE_URL={url}/v1",
    ),
)
AZURE: Final = _provider(
    "azure openai",
    "openai.LLM.with_azure",
    lambda: Chat("/openai/deployments/here/chat/completions", KEY, "api-key"),
    extra="azure",
    given={"model": MODEL, "azure_deployment": "here", "azure_endpoint": "{url}"},
    reads={"AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_VERSION": "2024-10-21"},
)
OF_OPENAI: Final = "openai.LLM.with_"
LETTA: Final = {"agent_id": "agent-1"}

CHATTING: Final = [
    INFERENCE,
    _chat("openai", "openai.LLM", "OPENAI_API_KEY"),
    AZURE,
    _chat("baseten", "baseten.LLM", "BASETEN_API_KEY"),
    _chat("cerebras", "cerebras.LLM", "CEREBRAS_API_KEY", packed=True),
    _chat("deepseek", f"{OF_OPENAI}deepseek", "DEEPSEEK_API_KEY", extra="deepseek"),
    _chat(
        "fireworks",
        f"{OF_OPENAI}fireworks",
        "FIREWORKS_API_KEY",
        base="/inference/v1",
        extra="fireworks",
    ),
    _chat("groq", "groq.LLM", "GROQ_API_KEY", base="/openai/v1"),
    _chat(
        "letta",
        f"{OF_OPENAI}letta",
        "LETTA_API_KEY",
        extra="letta",
        given=LETTA,
        model="agent-1",
        untried=dict.fromkeys(("tool", "two tools"), "its tools run in Letta"),
    ),
    _chat("ollama", f"{OF_OPENAI}ollama", None, extra="ollama", key="ollama"),
    _chat(
        "openrouter",
        f"{OF_OPENAI}openrouter",
        "OPENROUTER_API_KEY",
        base="/api/v1",
        extra="openrouter",
    ),
    _chat("perplexity", "perplexity.LLM", "PERPLEXITY_API_KEY", base=""),
    _chat("telnyx", f"{OF_OPENAI}telnyx", "TELNYX_API_KEY", base="/v2/ai", extra="telnyx"),
    _chat("together", f"{OF_OPENAI}together", "TOGETHER_API_KEY", extra="together"),
    _chat("xai chat", f"{OF_OPENAI}x_ai", "XAI_API_KEY", extra="xai"),
]


def _mistral(mode: str, speaks: Callable[[], Speaks], name: str) -> Provider:
    def make(url: str) -> llm.LLM[Any]:
        package = plugin("mistralai")
        client = import_module("mistralai.client").Mistral(server_url=url)
        model: llm.LLM[Any] = package.LLM(model=MODEL, client=client, api_mode=mode)
        return model

    chosen = "" if mode == "conversations" else f", api_mode={mode!r}"
    made = Made(
        constructor=f"mistralai.LLM(model=…{chosen})",
        extra="mistralai",
        reads=("MISTRAL_API_KEY",),
        address='client=Mistral(server_url="{url}")',
    )
    return Provider(
        name,
        make,
        speaks,
        variables={"MISTRAL_API_KEY": KEY},
        made=made,
        close=lambda model: model._client.sdk_configuration.async_client.aclose(),
    )


def _langchain(url: str) -> llm.LLM[Any]:
    package = plugin("langchain")
    model: llm.LLM[Any] = package.LLMAdapter(graph(url, MODEL))
    return model


LANGCHAIN: Final = Provider(
    "langchain",
    _langchain,
    Chat,
    made=Made("langchain.LLMAdapter(graph)", extra="langchain", address="in the graph"),
    untried={
        "tool": "its tools run in the graph",
        "two tools": "its tools run in the graph",
        "usage": "its plugin tells none",
    },
    sees=False,
)
ANTHROPIC_COUNTS: Final = (
    "livekit-plugins-anthropic 1.8.9, llm.py:393, adds what the first event of an answer counts so "
    "far to the whole that the last one tells, and keeps neither"
)
OTHERS: Final = [
    _provider(
        "openai responses",
        "openai.responses.LLM",
        Responses,
        given={"model": MODEL, "use_websocket": False, "base_url": "{url}/v1"},
        reads={"OPENAI_API_KEY": KEY},
    ),
    _provider(
        "openai responses by websocket",
        "openai.responses.LLM",
        lambda: Responses(websocket=True, path="/v1/responses"),
        given={"model": MODEL, "base_url": "{url}/v1/responses"},
        reads={"OPENAI_API_KEY": KEY},
    ),
    _provider(
        "xai",
        "xai.responses.LLM",
        Responses,
        given={"model": MODEL, "base_url": "{url}/v1"},
        reads={"XAI_API_KEY": KEY},
    ),
    _mistral("conversations", Conversations, "mistral"),
    _mistral("chat_completions", MistralChat, "mistral chat"),
    _provider(
        "anthropic",
        "anthropic.LLM",
        Messages,
        given={"model": MODEL, "base_url": "{url}"},
        reads={"ANTHROPIC_API_KEY": KEY},
        close=lambda model: model._client.close(),
        faults={"usage": ANTHROPIC_COUNTS},
    ),
    _provider(
        "google",
        "google.LLM",
        Gemini,
        given={"model": MODEL},
        reads={"GOOGLE_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": "{url}"},
    ),
    _provider(
        "amazon bedrock",
        "aws.LLM",
        Converse,
        given={"model": MODEL, "region": "us-east-1"},
        reads={
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{url}",
        },
        fetches=False,
    ),
]

PROVIDERS: Final = [*CHATTING, *OTHERS, LANGCHAIN]


def named(name: str) -> Provider:
    """The provider of that name."""
    return next(each for each in PROVIDERS if each.name == name)
