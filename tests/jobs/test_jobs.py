"""The life of a job with our session in it, against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.workers import at_work, rooms_of, told, until, write
from tests.livekit_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.jobs.workers import Worker
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

BEFORE = """
import gc
import logging
from livekit import api

def prewarm(process):
    process.userdata["model"] = f"loaded in {os.getpid()}"


async def ended(ctx):
    report = ctx.make_session_report().to_dict()
    tell(ctx, ["report", json.loads(json.dumps(report, default=str))])


async def gone(ctx, reason):
    tell(ctx, ["gone", reason, ctx.room.isconnected()])


async def fails(ctx):
    tell(ctx, ["fails"])
    raise ValueError("no luck")


class Echo(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        yield "You said " + chat_ctx.messages()[-1].text_content + "."


async def shut_down(ctx, session):
    ctx.shutdown("it was enough")


async def blab(ctx, session):
    secret = os.environ["LIVEKIT_API_SECRET"]
    token = api.AccessToken().with_identity("me").to_jwt()
    logging.getLogger("theirs").warning("to join: %s", token, extra={"and": secret})
    ctx.shutdown("all was said")


async def close(ctx, session):
    await session.aclose()
    ctx.shutdown()


async def second(ctx, session):
    other = AgentSession()
    other.on("close", lambda event: tell(ctx, ["second closed", event.reason.value]))
    await other.start(Agent(instructions=""))
    tell(ctx, ["primary is the first", ctx.primary_session is session])
    ctx.shutdown()


server.setup_fnc = prewarm
"""
BODY = """
folder = ctx.session_directory
tell(ctx, ["folder", str(folder), folder.is_dir()])
tell(ctx, ["same", get_job_context() is ctx])
tell(ctx, ["left to look at", len(gc.get_objects())])
tell(ctx, ["prewarmed", ctx.proc.userdata["model"] == f"loaded in {os.getpid()}"])
ctx.add_shutdown_callback(lambda reason: fails(ctx))
ctx.add_shutdown_callback(lambda reason: gone(ctx, reason))
session = AgentSession()
session.on("close", lambda event: tell(ctx, ["closed", event.reason.value]))
await session.start(Echo(instructions=""), room=ctx.room)
tell(ctx, ["primary", ctx.primary_session is session])
await session.run(user_input="hello")
await globals()[ctx.job.metadata](ctx, session)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def worker(folder: Path, livekit_server: LiveKitServer) -> Iterator[Worker]:
    program = write(folder, BODY, BEFORE, agent="jobs")
    text = program.read_text()
    program.write_text(text.replace('agent_name="jobs"', 'agent_name="jobs", on_session_end=ended'))
    with at_work(program, livekit_server, "--log-level", "debug") as worker:
        yield worker


async def held(server: LiveKitServer, worker: Worker, folder: Path, end: str) -> dict[str, Any]:
    """What a job told that ends like this, by the first word of each."""
    await worker.registered()
    room = os.urandom(4).hex()
    async with rooms_of(server) as rooms:
        await rooms.dispatch(room, "jobs", metadata=end)
        await until(lambda: {"fails", "gone"} <= {words[0] for words in told(folder, room)})
    assert [words[0] for words in told(folder, room)].count("closed") == 1
    return {words[0]: words[1:] for words in told(folder, room)} | {"room": room}


async def test_a_job_that_shuts_down_closes_its_session_with_that_reason(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    said = await held(livekit_server, worker, folder, "shut_down")
    assert said["primary"] == [True]
    assert said["closed"] == ["job_shutdown"]
    assert said["gone"] == ["it was enough", False]


async def test_a_session_that_the_program_closes_was_closed_by_the_user(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    said = await held(livekit_server, worker, folder, "close")
    assert said["closed"] == ["user_initiated"]


async def test_a_second_session_is_closed_with_its_job_too(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    said = await held(livekit_server, worker, folder, "second")
    assert said["primary is the first"] == [True]
    await until(lambda: ["second closed", "job_shutdown"] in told(folder, said["room"]))


async def test_a_job_has_a_folder_a_prewarmed_process_and_a_report_of_its_session(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    said = await held(livekit_server, worker, folder, "shut_down")
    assert said["same"] == said["prewarmed"] == [True]
    (left,) = said["left to look at"]
    assert left < 50_000, "a look at all that was loaded, for garbage, would pause the call"
    path, was_there = said["folder"]
    assert was_there
    await until(lambda: not (folder / path).exists())

    (report,) = said["report"]
    assert report["room"] == said["room"]
    assert report["close_reason"] == "CR_JOB_SHUTDOWN"
    assert report["user_turns"] == 1
    words = [item["content"] for item in report["chat_history"]["items"] if "content" in item]
    assert words == [["hello"], ["You said hello."]]
    kinds = [event["type"] for event in report["events"]]
    assert kinds[-1] == "close"
    assert {"speech_created", "conversation_item_added", "agent_state_changed"} <= set(kinds)
    assert report["duration_ms"] is not None


async def test_a_shutdown_callback_that_fails_does_not_keep_the_others(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    said = await held(livekit_server, worker, folder, "shut_down")
    assert "fails" in said
    assert said["gone"][0] == "it was enough"


async def test_tokens_and_secrets_are_in_no_line_of_the_log(
    livekit_server: LiveKitServer, worker: Worker, folder: Path
) -> None:
    await held(livekit_server, worker, folder, "blab")
    assert "to join: •••" in worker.said
    assert "DEBUG" in worker.said
    assert livekit_server.secret not in worker.said
    assert "eyJ" not in worker.said


async def test_health_and_the_worker_are_shown_on_loopback_only(
    livekit_server: LiveKitServer, worker: Worker
) -> None:
    await worker.registered()
    host, port = worker.health()
    assert host == "127.0.0.1"
    assert await asked(f"http://{host}:{port}/") == b"OK"
    assert json.loads(await asked(f"http://{host}:{port}/worker"))["agent_name"] == "jobs"


async def test_metrics_are_shown_on_loopback_where_they_are_asked_for(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    port = free_port(socket.SOCK_STREAM)
    program = write(tmp_path, before=f"server = AgentServer(port=0, prometheus_port={port})")
    with at_work(program, livekit_server) as worker:
        await worker.says(f"Prometheus metrics exposed at http://127.0.0.1:{port}/metrics")
        assert b"lk_agents_active_job_count" in await asked(f"http://127.0.0.1:{port}/metrics")


async def asked(url: str) -> bytes:
    def get() -> bytes:
        with urllib.request.urlopen(url, timeout=20) as answer:
            text: bytes = answer.read()
            return text

    return await asyncio.to_thread(get)
