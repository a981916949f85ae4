"""Tools of a real MCP server: a child process over stdio, and over HTTP on loopback.

A server that fails in whatever way is one clear answer to the call, and the conversation goes on.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from antiphon import Agent, AgentSession
from antiphon import llm as llms
from antiphon.mcp import MCPServer, MCPServerHTTP, MCPServerStdio, MCPToolset
from tests.scripted_tools import calls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from antiphon import ModelSettings

pytestmark = pytest.mark.realtime

SERVER = str(Path(__file__).parents[1] / "tool_server.py")


class Writer(Agent):
    """Calls the tools it is told to, one request after the other, then says what they gave."""

    def __init__(self, steps: Sequence[llms.FunctionToolCall], **options: Any) -> None:
        super().__init__(instructions="", **options)
        self.steps = list(steps)
        self.offered: list[str] = []

    async def llm_node(
        self, chat_ctx: llms.ChatContext, tools: list[llms.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[str | llms.ChatChunk, None]:
        self.offered = [tool.id for tool in tools]
        if self.steps and model_settings.tool_choice != "none":
            delta = llms.ChoiceDelta(role="assistant", tool_calls=[self.steps.pop(0)])
            yield llms.ChatChunk(id="scripted", delta=delta)
        else:
            yield "Done."


@asynccontextmanager
async def serving(transport: str) -> AsyncIterator[MCPServer]:
    """A server that answers, by the client that reaches it."""
    if transport == "stdio":
        words = [SERVER, "stdio"]  # it begins with the first request, which may take its time
        yield MCPServerStdio(sys.executable, words, client_session_timeout_seconds=60)
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, SERVER, transport, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        path = "sse" if transport == "sse" else "mcp"
        yield MCPServerHTTP(f"http://127.0.0.1:{port}/{path}", client_session_timeout_seconds=5)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # its pipe, before the loop ends


async def use(agent: Writer, session: AgentSession[Any]) -> list[llms.FunctionCallOutput]:
    """Have the agent do all its steps, each in a turn; the outputs of the tools."""
    await session.start(agent)
    try:
        while agent.steps:
            await session.generate_reply(user_input="go on")
        while session.conversation.tools.busy:
            await session.conversation.moved()
        items = session.history.items
        return [item for item in items if isinstance(item, llms.FunctionCallOutput)]
    finally:
        await session.aclose()


@pytest.mark.parametrize("transport", ["stdio", "sse", "http"])
async def test_the_tools_of_a_server_are_offered_and_answer(transport: str) -> None:
    async with serving(transport) as server:
        agent = Writer([calls("add", a=2, b=3)], tools=[MCPToolset(id="mcp", mcp_server=server)])
        [output] = await use(agent, AgentSession(vad=None))
    assert agent.offered == ["add", "refuses", "climbs", "hangs", "dies"]
    assert '"text":"5"' in output.output
    assert not output.is_error


@pytest.mark.parametrize("transport", ["stdio", "sse", "http"])
async def test_a_server_that_dies_in_the_middle_is_one_clear_answer(transport: str) -> None:
    async with serving(transport) as server:
        if transport != "stdio":
            server._read_timeout = 2  # nobody notices the death
        agent = Writer([calls("dies"), calls("add", a=2, b=3)])
        session: AgentSession[Any] = AgentSession(
            vad=None, tools=[MCPToolset(id="mcp", mcp_server=server)]
        )
        outputs = await use(agent, session)
    assert [output.is_error for output in outputs] == [True, True]
    assert outputs[0].output.startswith("The server of the tool dies failed: ")
    assert " failed: " in outputs[1].output


def test_a_server_may_stream_its_answers() -> None:
    """Not under the finder of strays: the package's own client leaves its generators to it."""

    async def main() -> None:
        async with serving("streaming") as server:
            toolset = MCPToolset(
                id="mcp", mcp_server=server, tool_options={"climbs": {"report_progress": True}}
            )
            agent = Writer([calls("add", a=2, b=3), calls("climbs", "c")], tools=[toolset])
            outputs = await use(agent, AgentSession(vad=None))
        assert [output.call_id for output in outputs[1:]] == ["c", "c_update_1", "c_final"]
        assert '"text":"5"' in outputs[0].output
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


async def test_an_error_of_the_tool_is_what_the_server_says() -> None:
    async with serving("stdio") as server:
        agent = Writer([calls("refuses")], tools=[MCPToolset(id="mcp", mcp_server=server)])
        [output] = await use(agent, AgentSession(vad=None))
    assert output.is_error
    assert "not today" in output.output


async def test_a_server_that_does_not_answer_in_time_is_one_clear_answer() -> None:
    async with serving("http") as server:
        server._read_timeout = 3
        agent = Writer([calls("hangs")], tools=[MCPToolset(id="mcp", mcp_server=server)])
        [output] = await use(agent, AgentSession(vad=None))
    assert output.output == "The server of the tool hangs failed: Request 'tools/call' timed out"


async def test_progress_that_a_server_reports_is_an_update_of_the_call() -> None:
    async with serving("stdio") as server:
        toolset = MCPToolset(
            id="mcp", mcp_server=server, tool_options={"climbs": {"report_progress": True}}
        )
        agent = Writer([calls("climbs", "c")], tools=[toolset])
        outputs = await use(agent, AgentSession(vad=None))
    assert [output.call_id for output in outputs] == ["c", "c_update_1", "c_final"]
    assert "camp 1" in outputs[0].output
    assert "camp 2" in outputs[1].output


async def test_a_server_that_is_not_there_is_one_error_and_the_agent_works_without() -> None:
    errors: list[str] = []
    session: AgentSession[Any] = AgentSession(vad=None)
    session.on("error", lambda event: errors.append(str(event.error.error)))
    missing = MCPServerHTTP("http://127.0.0.1:9/mcp", client_session_timeout_seconds=1)
    agent = Writer([], tools=[MCPToolset(id="missing", mcp_server=missing)])
    await session.start(agent)
    await session.generate_reply(user_input="hello")
    await session.aclose()
    assert agent.offered == []
    assert len(errors) == 1
    assert errors[0].startswith("the toolset missing could not be set up, and is left out")


async def test_servers_may_be_given_as_they_are_to_the_session_or_the_agent() -> None:
    async with serving("stdio") as server:
        agent = Writer([calls("add", a=1, b=1)])
        with pytest.deprecated_call():
            session: AgentSession[Any] = AgentSession(vad=None, mcp_servers=[server])
        [output] = await use(agent, session)
    assert '"text":"2"' in output.output
    async with serving("stdio") as server:
        with pytest.deprecated_call():
            agent = Writer([calls("add", a=1, b=2)], mcp_servers=[server])
        [output] = await use(agent, AgentSession(vad=None))
    assert '"text":"3"' in output.output


async def test_an_agent_that_is_to_have_no_servers_is_not_given_those_of_the_session() -> None:
    cases: list[list[MCPServer] | None] = [None, []]
    async with serving("stdio") as server:
        for none in cases:
            with pytest.deprecated_call():
                session: AgentSession[Any] = AgentSession(vad=None, mcp_servers=[server])
                agent = Writer([], mcp_servers=none)
            await session.start(agent)
            await session.generate_reply(user_input="hello")
            await session.aclose()
            assert agent.offered == []


async def test_tools_can_be_filtered_and_are_asked_for_again() -> None:
    async with serving("stdio") as server:
        toolset = MCPToolset(id="mcp", mcp_server=server)
        await toolset.setup()
        toolset.filter_tools(lambda tool: tool.info.name == "add")
        assert [tool.id for tool in toolset.tools] == ["add"]
        await toolset.setup()
        assert [tool.id for tool in toolset.tools] == ["add"]
        await toolset.setup(reload=True)
        assert len(toolset.tools) == 5
        await toolset.aclose()
        assert list(toolset.tools) == []
