"""The two tools that an agent has besides its own once one of those may be cancelled.

Their names are LiveKit's, so that prompts written for them hold here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents import llm

from antiphon.context import RunContext  # noqa: TC001  # read for the schemas of the tools
from antiphon.function_tools import function_tool

if TYPE_CHECKING:
    from collections.abc import Sequence


@function_tool(name="lk_agents_get_running_tasks")
async def running_tasks(context: RunContext[Any]) -> list[dict[str, Any]]:
    """List the running tool calls that can be cancelled."""
    calls = context.session.conversation.tools.running
    return [running.call.model_dump() for running in calls if running.cancellable]


@function_tool(name="lk_agents_cancel_task")
async def cancel_task(context: RunContext[Any], call_id: str) -> str:
    """Cancel a running tool call.

    Args:
        call_id: the call_id of the call to cancel
    """
    tools = context.session.conversation.tools
    for running in tools.running:
        if running.call.call_id == call_id:
            await tools.stop(running)
            return f"Task {call_id} cancelled successfully."
    raise llm.ToolError(f"Task {call_id} not found or already completed")


TOOLS = (cancel_task, running_tasks)


def wanted(tools: Sequence[llm.Tool | llm.Toolset]) -> bool:
    """Whether one of these, or of those in a toolset, may be cancelled."""
    for tool in tools:
        if isinstance(tool, llm.FunctionTool | llm.RawFunctionTool):
            if llm.ToolFlag.CANCELLABLE in tool.info.flags:
                return True
        elif isinstance(tool, llm.Toolset) and wanted(tool.tools):
            return True
    return False
