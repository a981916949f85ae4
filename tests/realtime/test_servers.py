"""The servers refuse what the providers refuse: else the tests that use them would show nothing."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.realtime import dialects
from tests.realtime.rows import GEMINI, INFERENCE, OPENAI, ROWS, Row
from tests.realtime.script import Model

MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}


CREATE = {"type": "conversation.item.create", "item": MESSAGE}
TRUNCATE = {"type": "conversation.item.truncate", "item_id": "no"}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": "response.make"}, "invalid_value"),
    ({"type": "response.create", "respnse": {}}, "unknown_parameter"),
    (
        {"type": "session.update", "session": {"type": "realtime", "voise": "x"}},
        "unknown_parameter",
    ),
    (CREATE | {"item": MESSAGE | {"role": "robot"}}, "invalid_value"),
    (CREATE | {"item": MESSAGE | {"id": "x" * 33}}, "string_above_max_length"),
    (CREATE | {"item": MESSAGE | {"role": "assistant"}}, "invalid_value"),
    (CREATE | {"previous_item_id": "no"}, "item_not_found"),
    ({"type": "conversation.item.delete", "item_id": "no"}, "item_not_found"),
    (TRUNCATE | {"content_index": 0, "audio_end_ms": 1}, "item_not_found"),
    (TRUNCATE, "invalid_value"),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty"),
    ({"type": "response.cancel"}, "response_cancel_not_active"),
]


@pytest.mark.parametrize(("event", "code"), WRONG)
async def test_a_wrong_event_is_answered_with_an_error(event: dict[str, Any], code: str) -> None:
    async with OPENAI.serving(Model()) as model, aiohttp.ClientSession() as http:
        where = f"{model.url}/v1/realtime?model=gpt-realtime"
        key = {"Authorization": f"Bearer {dialects.KEY}"}
        async with http.ws_connect(where, headers=key) as socket:
            assert (await socket.receive_json())["type"] == "session.created"
            await socket.send_json(event | {"event_id": "mine"})
            answer = await socket.receive_json()
    assert (answer["type"], answer["error"]["code"]) == ("error", code)
    assert answer["error"]["event_id"] == "mine"


SETUP = {"setup": {"model": "models/m", "generationConfig": {}}}
TURN = {"turns": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.mark.parametrize(
    "messages",
    [
        [{"client_content": TURN}],
        [{"setup": {"model": "m"}}],
        [{"setup": {"model": "models/m", "voice": "x"}}],
        [SETUP, {"client_content": TURN | {"complete": True}}],
        [SETUP, {"client_content": {"turns": [{"role": "system", "parts": []}]}}],
        [SETUP, {"realtime_input": {"activityStart": {}}}],
        [SETUP, {"realtime_input": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=8000"}}}],
        [SETUP, {"tool_response": {"functionResponses": [{"id": "c", "name": "n"}]}}],
    ],
)
async def test_a_wrong_message_ends_a_live_session(messages: list[dict[str, Any]]) -> None:
    async with GEMINI.serving(Model()) as model, aiohttp.ClientSession() as http:
        where = f"{model.url}/ws/google.ai.generativelanguage.v1.GenerativeService"
        where += ".BidiGenerateContent"
        key = {"x-goog-api-key": dialects.KEY}
        async with http.ws_connect(where, headers=key, ssl=False) as socket:
            for message in messages:
                await socket.send_str(json.dumps(message))
            while (answer := await socket.receive()).type != aiohttp.WSMsgType.CLOSE:
                assert json.loads(answer.data) == {"setupComplete": {}}
    assert answer.data == 1007
    assert model.wrong


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_who_has_no_key_is_not_let_in(row: Row) -> None:
    async with row.serving(Model()) as model, aiohttp.ClientSession() as http:
        for path in ("/v1/realtime?model=gpt-realtime", "/elsewhere"):
            async with http.get(model.url + path, ssl=False) as answer:
                assert answer.status == 401
    assert len(model.wrong) == 2


@pytest.mark.parametrize("row", [INFERENCE], ids=str)
async def test_a_key_of_somebody_else_opens_no_gateway(row: Row) -> None:
    async with row.serving(Model()) as model, aiohttp.ClientSession() as http:
        key = {"Authorization": f"Bearer {dialects.KEY}"}
        where = f"{model.url}/v1/realtime?model=openai/gpt-realtime"
        async with http.get(where, headers=key) as answer:
            assert answer.status == 401
