"""Whatever a model's server does wrong is one clear event, and the call goes on."""

from __future__ import annotations

import pytest

from antiphon.options import ConnectOptions
from antiphon.simulate import listens, says
from tests.providers.rows import CLIENTS, Row
from tests.providers.talking import talking
from tests.providers.wire import Asked, Reply, Server

pytestmark = pytest.mark.parametrize("row", CLIENTS, ids=str)

SAID = "One two three four five six. Seven eight nine ten eleven twelve."
AGAIN = "I am here again."

# Before the first word: the model's own retries are over before the session is told.
BEFORE = ["401", "429", "500", "503", "silence"]
# In the middle of a sentence.
WITHIN = ["cut", "stall", "broken"]


def serving(row: Row, fault: Reply) -> Server:
    """Answers `fault` to the first turn, however often it is asked, and mends for the second."""

    def script(asked: Asked) -> Reply:
        last = [text for role, text in asked.said if role == "user"][-1]
        return Reply(AGAIN) if last.endswith("again") else fault

    return Server(row.speaks(), script=script)


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_server_that_refuses_is_one_error_and_the_call_goes_on(
    row: Row, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(row, Reply(fault=fault))
    async with talking(row, server, faults=True) as talk:
        await talk.call.play(says("hello"), listens())
        await talk.call.play(says("hello again"), listens())
    call = talk.call
    assert call.said("agent") == [AGAIN]
    assert call.said("user") == ["hello", "hello again"]
    (error,) = [each.error for each in call.reported("error") if not each.error.recoverable]
    assert error.type == "llm_error"
    told = f"{error.error} {error.error.__cause__} {getattr(error.error, 'status_code', '')}"
    late = "llm_node gave nothing" in told  # its retries took longer than a caller waits
    assert fault in told or not fault.isdigit() or row.hides_status or late
    requests = len(talk.asked) - 1
    assert requests <= (ConnectOptions().llm_conn_options.max_retry + 1) * row.tries
    if fault == "401" and not row.hides_status:
        assert requests == 1  # nothing mends a wrong key
    for secret in ("secret-key", "gateway-secret"):
        assert secret not in caplog.text


@pytest.mark.parametrize("fault", WITHIN)
async def test_a_stream_that_dies_is_told_and_what_was_heard_is_kept(row: Row, fault: str) -> None:
    server = serving(row, Reply(SAID, fault=fault))
    async with talking(row, server, faults=True) as talk:
        await talk.call.play(says("hello"), listens())
        await talk.call.play(says("hello again"), listens())
    call = talk.call
    told = [each.error for each in call.reported("error")]
    assert told
    assert {each.type for each in told} == {"llm_error"}
    assert [each for each in told if not each.recoverable][1:] == []
    first, second = call.said("agent")
    assert second == AGAIN
    assert first.split()[:12] == SAID.split()  # no word of it is heard twice
    assert [text for role, text in talk.asked[-1].said if role == "user"][-1] == "hello again"
    assert first.split()[0] in " ".join(text for _, text in talk.asked[-1].said)


async def test_a_filtered_answer_wedges_nothing(row: Row) -> None:
    server = serving(row, Reply(fault="filtered"))
    async with talking(row, server, faults=True) as talk:
        await talk.call.play(says("hello"), listens())
        await talk.call.play(says("hello again"), listens())
    assert talk.call.said("agent") == [AGAIN]


async def test_an_empty_answer_wedges_nothing(row: Row) -> None:
    server = serving(row, Reply(""))
    async with talking(row, server, faults=True) as talk:
        await talk.call.play(says("hello"), listens())
        await talk.call.play(says("hello again"), listens())
    assert talk.call.said("agent") == [AGAIN]


async def test_one_refusal_is_mended_by_asking_again(row: Row) -> None:
    tries: list[Asked] = []

    def script(asked: Asked) -> Reply:
        tries.append(asked)
        return Reply(fault="500") if len(tries) == 1 else Reply(AGAIN)

    async with talking(row, Server(row.speaks(), script=script), faults=True) as talk:
        await talk.call.play(says("hello"), listens())
    given_up = [each for each in talk.call.reported("error") if not each.error.recoverable]
    assert talk.call.said("agent") == ([AGAIN] if row.retries else [])
    assert len(given_up) == (0 if row.retries else 1)
