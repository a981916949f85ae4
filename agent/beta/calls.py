"""Tools for calls: keys pressed for the other side, and the end of a call (`beta.tools`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import get_job_context
from livekit.agents.llm import ToolFlag, Toolset, function_tool

from antiphon.context import RunContext  # noqa: TC001  # the schema of a tool is made of it
from antiphon.pipeline.errors import UsageError
from antiphon.workflows.dtmf import DtmfEvent, dtmf_event_to_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.agents import JobContext

__all__ = ["EndCallTool", "send_dtmf_events"]

BETWEEN: Final = 0.3  # seconds from one key to the next: a line takes each for as long
END_CALL: Final = (
    "End the call. Use it when the user has clearly finished, as in a goodbye; not when they ask "
    "to wait, to hold or to be put through. Nothing can be said afterwards: say nothing with it."
)


@function_tool
async def send_dtmf_events(ctx: RunContext[Any], events: list[DtmfEvent]) -> str:
    """Press keys of the telephone, one after the other, as a menu or an extension asks for."""
    try:
        room = ctx.session.room_io.room
    except UsageError:
        room = get_job_context().room
    for number, event in enumerate(events):
        if number:
            await asyncio.sleep(BETWEEN)
        try:
            code = dtmf_event_to_code(event)
            await room.local_participant.publish_dtmf(code=code, digit=event.value)
        except Exception as error:
            return f"The key {event.value} could not be pressed: {error}"
    return f"Pressed {', '.join(event.value for event in events)}."


class EndCallTool(Toolset):
    """Lets a model end the call: what it says to `end_instructions` is said, then the session
    closes, its job ends, and the room is deleted, unless `delete_room` is off.
    """

    def __init__(
        self,
        *,
        extra_description: str = "",
        delete_room: bool = True,
        end_instructions: str | None = "say goodbye to the user",
        ignore_on_enter: bool = False,
        on_tool_called: Callable[[Toolset.ToolCalledEvent], Awaitable[None]] | None = None,
        on_tool_completed: Callable[[Toolset.ToolCompletedEvent], Awaitable[None]] | None = None,
    ) -> None:
        tool = function_tool(
            self._end_call,
            name="end_call",
            description=f"{END_CALL}\n{extra_description}".strip(),
            flags=ToolFlag.IGNORE_ON_ENTER if ignore_on_enter else ToolFlag.NONE,
        )
        super().__init__(id="end_call", tools=[tool])
        self._delete_room = delete_room
        self._end_instructions = end_instructions
        self._called = on_tool_called
        self._completed = on_tool_completed

    async def _end_call(self, ctx: RunContext[Any]) -> Any:
        session, job = ctx.session, get_job_context(required=False)
        ctx.speech_handle.add_done_callback(lambda _: session.shutdown())
        if job is not None:
            session.once("close", lambda event: self._leave(job, event.reason.value))
        if self._called is not None:
            await self._called(Toolset.ToolCalledEvent(ctx=ctx, arguments={}))
        done = Toolset.ToolCompletedEvent(ctx=ctx, output=self._end_instructions)
        if self._completed is not None:
            await self._completed(done)
        return done.output

    def _leave(self, job: JobContext, reason: str) -> None:
        async def delete() -> None:
            await job.delete_room()

        if self._delete_room:
            job.add_shutdown_callback(delete)
        job.shutdown(reason)
