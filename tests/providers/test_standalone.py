"""A model by itself, as the documentation shows it, and with arguments of one's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import utils

from antiphon import APIConnectionError, ChatContext, function_tool
from antiphon.conformance import PROVIDERS, Provider, named
from antiphon.conformance.providers import plugin
from antiphon.conformance.wire import Reply, Server, serving

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

SAID = "Hello, this is an answer."

# The documentation's, but for the import of `ChatContext` and the indentation.
SNIPPET = """
from antiphon import ChatContext
from livekit.plugins import openai

async def main():
    llm = openai.LLM(model="gpt-4o-mini")

    chat_ctx = ChatContext()
    chat_ctx.add_message(role="user", content="Hello, this is a test message!")

    async with llm.chat(chat_ctx=chat_ctx) as stream:
        async for chunk in stream:
            print("Received chunk:", chunk.delta)

    await llm.aclose()
"""


async def test_the_snippet_of_the_documentation_prints_its_chunks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin("openai")
    row = named("openai")
    async with serving(Server(row.speaks(), SAID)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
        names: dict[str, Any] = {}
        exec(SNIPPET, names)
        await names["main"]()
    printed = capsys.readouterr().out
    said = "".join(re.findall(r"Received chunk: .*content='([^']*)'", printed))
    assert said.split() == SAID.split()
    assert server.refused == []


def asking() -> ChatContext:
    context = ChatContext()
    context.add_message(role="system", content="Be brief.")
    context.add_message(role="user", content="Hello, this is a test message!")
    return context


def outside_of_a_job() -> AbstractAsyncContextManager[Any]:
    return utils.http_context.open()


@pytest.mark.parametrize("row", [p for p in PROVIDERS if "usage" not in p.untried], ids=str)
async def test_every_model_streams_by_itself(row: Provider) -> None:
    async with (
        outside_of_a_job(),
        serving(Server(row.speaks(), SAID)) as server,
        row.at(server.url) as model,
        model.chat(chat_ctx=asking()) as stream,
    ):
        chunks = [chunk async for chunk in stream]
    said = [chunk.delta.content for chunk in chunks if chunk.delta and chunk.delta.content]
    assert len(said) >= len(SAID.split())  # as they are sent, and not at the end
    assert "".join(said).split() == SAID.split()
    assert ("user", "Hello, this is a test message!") in server.asked[0].said
    assert server.refused == []
    used = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert used[-1].prompt_tokens == 120


@pytest.mark.parametrize("row", PROVIDERS, ids=str)
async def test_leaving_a_stream_early_closes_its_connection(row: Provider) -> None:
    async with outside_of_a_job(), serving(Server(row.speaks(), Reply(endless=True))) as server:
        async with row.at(server.url) as model, model.chat(chat_ctx=asking()) as stream:
            heard = 0
            async for _ in stream:
                heard += 1
                if heard == 12:
                    break
        (asked,) = server.asked
        before = asked.sent
        assert before < 40
    assert not asked.over


async def test_extra_arguments_of_a_call_reach_the_provider() -> None:
    row = named("openai")
    async with serving(Server(row.speaks(), SAID)) as server, row.at(server.url) as model:
        given = {"reasoning_effort": "low", "seed": 7}
        async with model.chat(chat_ctx=asking(), extra_kwargs=given) as stream:
            assert [chunk async for chunk in stream]
    assert server.asked[0].body["reasoning_effort"] == "low"
    assert server.asked[0].body["seed"] == 7


@pytest.mark.parametrize("choice", ["none", "required", "auto"])
async def test_what_may_be_called_is_told(choice: Any) -> None:
    @function_tool
    async def look(where: str) -> str:
        """Look."""
        return where

    row = named("openai")
    async with (
        serving(Server(row.speaks(), SAID)) as server,
        row.at(server.url) as model,
        model.chat(chat_ctx=asking(), tools=[look], tool_choice=choice) as stream,
    ):
        assert [chunk async for chunk in stream]
    assert server.asked[0].tools == ["look"]
    assert server.asked[0].choice == choice


async def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    row = named("openai")
    async with row.at("http://127.0.0.1:9") as model:  # nobody listens
        with pytest.raises(APIConnectionError):
            async with model.chat(chat_ctx=asking()) as stream:
                assert [chunk async for chunk in stream]


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": [{"role": "tool", "tool_call_id": "call_9", "content": "x"}]},
        {"messages": []},
        {"temprature": 1},
        {"tools": [], "tool_choice": "auto"},
        {"stream": False},
        {"messages": [{"role": "robot", "content": "x"}]},
    ],
)
async def test_the_server_refuses_what_openai_refuses(wrong: dict[str, Any]) -> None:
    """Else these tests would show nothing."""
    import aiohttp

    said = [{"role": "user", "content": "Hello"}]
    right = {"model": "a-model", "stream": True, "messages": said}
    key = {"Authorization": "Bearer secret-key"}
    async with (
        serving(Server(named("openai").speaks(), SAID)) as server,
        aiohttp.ClientSession(headers=key) as http,
    ):
        where = f"{server.url}/v1/chat/completions"
        async with http.post(where, json=right | wrong) as answer:
            assert answer.status == 400
        async with http.post(where, json=right) as answer:
            assert answer.status == 200
        async with http.post(where, json=right, headers={"Authorization": "x"}) as answer:
            assert answer.status == 401
