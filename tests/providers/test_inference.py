"""LiveKit Inference by name: every model of the documentation, and what is no name at all."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from livekit.agents import inference as livekits
from livekit.agents import llm

from antiphon import AgentSession, ChatContext, UsageError, inference
from antiphon.conformance import Provider, gateway
from antiphon.conformance.gateway import Gateway
from antiphon.conformance.talking import talking
from antiphon.conformance.wire import Reply, Server, serving
from antiphon.nodes.inference_models import DOCUMENTED, known, names
from antiphon.simulate import ScriptedTTS, listens, says

SAID = "Of course."


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET", "LIVEKIT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_API_KEY", gateway.KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", gateway.SECRET)
    monkeypatch.delenv("LIVEKIT_INFERENCE_URL", raising=False)


@pytest.mark.parametrize("name", sorted(names("llm")))
async def test_every_name_is_a_model_that_answers(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def by_name(url: str) -> Any:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", f"{url}/v1")
        session: AgentSession[Any] = AgentSession(llm=name, tts=ScriptedTTS())
        return session.llm

    row = Provider(name, by_name, Gateway, model=name)
    async with talking(row, Server(row.speaks(), SAID)) as talk:
        await talk.call.play(says("hello"), listens())
    assert talk.call.said("agent") == [SAID]
    (asked,) = talk.asked
    assert asked.model == name
    assert asked.path == "/v1/chat/completions"
    assert asked.body["stream_options"] == {"include_usage": True}
    assert not [each for each in caplog.records if each.name.startswith("antiphon")]
    assert gateway.KEY not in caplog.text
    assert gateway.SECRET not in caplog.text


def test_all_seventeen_models_of_the_documentation_are_known() -> None:
    assert len(DOCUMENTED) == 17
    assert set(DOCUMENTED) <= names("llm")
    assert known("openai/gpt-oss-120b").served_by == ("baseten", "groq", "cerebras")
    assert known("openai/gpt-4o").images
    assert known("openai/gpt-oss-120b").images is False
    assert known("openai/gpt-5-mini").least_effort == "minimal"
    assert not known("openai/gpt-5-mini").temperature
    assert known("google/gemini-2.5-flash").temperature


async def test_the_provider_and_the_extra_arguments_are_sent() -> None:
    """The example of the documentation."""

    def make(url: str) -> Any:
        return inference.LLM(
            model="openai/gpt-5-mini",
            provider="openai",
            extra_kwargs={"reasoning_effort": "low", "max_completion_tokens": 300},
            base_url=f"{url}/v1",
        )

    row = Provider("gpt-5-mini", make, Gateway, model="openai/gpt-5-mini")
    async with talking(row, Server(row.speaks(), SAID)) as talk:
        await talk.call.play(says("hello"), listens())
    (asked,) = talk.asked
    assert asked.headers["X-LiveKit-Inference-Provider"] == "openai"
    assert asked.body["reasoning_effort"] == "low"
    assert asked.body["max_completion_tokens"] == 300


async def test_each_request_brings_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(Gateway(), SAID, SAID)
    async with serving(server):
        model = inference.LLM("openai/gpt-4o", base_url=f"{server.url}/v1")
        context = ChatContext()
        context.add_message(role="user", content="Hello")
        for _ in range(2):
            async with model.chat(chat_ctx=context) as stream:
                assert [chunk async for chunk in stream]
        await model.aclose()
    assert server.refused == []


WRONG = [
    ("llm", "", "names no model"),
    ("llm", "gpt-4.1-mini", "openai/gpt-4.1-mini"),
    ("llm", "openia/gpt-4.1-mini", "openai/gpt-4.1-mini"),
    ("llm", "nonsense/x", "no provider 'nonsense'"),
    ("llm", "openai/", "names no model"),
    ("stt", "nova-3", "deepgram/nova-3"),
    ("stt", "deepgramm/nova-3:en", "deepgram/nova-3"),
    ("tts", "sonic-3", "cartesia/sonic-3"),
    ("tts", "cartesa/sonic-3:voice", "cartesia/sonic-3"),
]


@pytest.mark.parametrize(("slot", "name", "told"), WRONG)
def test_what_names_no_model_fails_when_the_session_is_made(
    slot: str, name: str, told: str
) -> None:
    given: dict[str, Any] = {slot: name}
    with pytest.raises(UsageError, match=slot) as caught:
        AgentSession(**given)
    assert told in str(caught.value)


def test_a_name_is_looked_at_in_a_model_object_too() -> None:
    with pytest.raises(UsageError, match=r"openai/gpt-4\.1-mini"):
        AgentSession(llm=livekits.LLM("gpt-4.1-mini"))


@pytest.mark.parametrize(
    ("slot", "name"),
    [
        ("stt", "deepgram/nova-3:en"),
        ("stt", "auto"),
        ("tts", "cartesia/sonic-3:9626c31c"),
        ("tts", "cartesia"),
        ("tts", "elevenlabs/eleven_flash_v2_5"),
    ],
)
def test_a_voice_and_a_language_may_follow_a_name(slot: str, name: str) -> None:
    given: dict[str, Any] = {slot: name}
    session: AgentSession[Any] = AgentSession(**given)
    assert getattr(session, slot).model


def test_a_model_that_is_new_goes_through_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session: AgentSession[Any] = AgentSession(llm="openai/gpt-4.1-minni")
    AgentSession(llm="openai/gpt-4.1-minni")
    assert session.llm is not None
    assert session.llm.model == "openai/gpt-4.1-minni"
    (told,) = caplog.messages
    assert "openai/gpt-4.1-mini" in told


def test_a_realtime_name_is_not_taken_for_a_text_model() -> None:
    session: AgentSession[Any] = AgentSession(llm="openai/gpt-realtime")
    assert isinstance(session.llm, llm.RealtimeModel)
    assert session.llm.model == "openai/gpt-realtime"
    duplex: AgentSession[Any] = AgentSession(llm="openai/gpt-live-1")
    assert isinstance(duplex.llm, llm.DuplexRealtimeAdapter)


@pytest.mark.parametrize("missing", ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
def test_a_missing_key_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(UsageError, match=f"{missing} is not set"):
        AgentSession(llm="openai/gpt-4o")


@pytest.mark.parametrize("slot", ["llm", "stt", "tts"])
def test_an_empty_address_is_an_error_and_not_production(
    slot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_INFERENCE_URL", "")
    name = {"llm": "openai/gpt-4o", "stt": "deepgram/nova-3", "tts": "cartesia/sonic-3"}[slot]
    given: dict[str, Any] = {slot: name}
    with pytest.raises(UsageError, match="LIVEKIT_INFERENCE_URL is empty"):
        AgentSession(**given)


def test_what_a_model_does_not_take_is_said_and_not_dropped_silently(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inference.LLM("openai/gpt-5-mini", extra_kwargs={"temperature": 0.2, "verbosity": "low"})
    (told,) = caplog.messages
    assert "openai/gpt-5-mini" in told
    assert "temperature" in told
    assert "verbosity" not in told


async def test_what_it_does_not_take_beside_tools_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(Gateway(), *[Reply(SAID)] * 3)
    async with serving(server):
        given = {"reasoning_effort": "low"}
        url = f"{server.url}/v1"
        model = inference.LLM("openai/gpt-5.2", extra_kwargs=given, base_url=url)
        context = ChatContext()
        context.add_message(role="user", content="Hello")
        tool = inference_tool()
        for tools in ([], [tool], [tool]):
            async with model.chat(chat_ctx=context, tools=tools) as stream:
                assert [chunk async for chunk in stream]
        await model.aclose()
    assert [asked.body.get("reasoning_effort") for asked in server.asked] == ["low", None, None]
    (told,) = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert "reasoning_effort" in told


async def test_a_choice_of_tools_without_tools_is_said_to_be_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(Gateway(), *[Reply(SAID)] * 3)
    async with serving(server):
        model = inference.LLM("openai/gpt-4o", base_url=f"{server.url}/v1")
        context = ChatContext()
        context.add_message(role="user", content="Hello")
        choices: list[Any] = ["none", "required", "required"]
        for choice in choices:
            async with model.chat(chat_ctx=context, tool_choice=choice) as stream:
                assert [chunk async for chunk in stream]
        await model.aclose()
    assert [asked.choice for asked in server.asked] == [None, None, None]
    (told,) = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert told == "openai/gpt-4o takes no tool_choice without tools: it is left out"


def inference_tool() -> Any:
    from antiphon import function_tool

    @function_tool
    async def look() -> str:
        """Look."""
        return ""

    return look


@pytest.mark.parametrize("provider", ["opnai", ""])
def test_a_provider_that_is_none_is_refused(provider: str) -> None:
    with pytest.raises(UsageError, match=f"provider={provider!r}"):
        inference.LLM("openai/gpt-4o", provider=provider)
