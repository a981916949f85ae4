"""Digits from a telephone's keys, or said aloud."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import NOT_GIVEN, NotGivenOr, get_job_context, llm

from antiphon import arguments
from antiphon.context import INSIDE
from antiphon.function_tools import function_tool
from antiphon.pipeline.errors import UsageError
from antiphon.task import AgentTask
from antiphon.workflows.dtmf import DtmfEvent, format_dtmf

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.agents import AgentStateChangedEvent, UserStateChangedEvent

    from antiphon.room import RoomIO

logger = logging.getLogger("antiphon.workflows")

INSTRUCTIONS: Final = (
    "You take care of one step of a longer call: you get {count} digits from the user, who presses "
    "keys or says them. Pressed ones come to you as <dtmf_inputs>."
)
RECORD: Final = "As soon as the user has said them, call `record_inputs` with them."
CONFIRM: Final = (
    "Say them back one by one, and call `confirm_inputs` with them when the user has agreed."
)
KEYS: Final = {key.value for key in DtmfEvent}
PRESSED: Final = "<dtmf_inputs>{keys}</dtmf_inputs>"


@dataclass
class GetDtmfResult:
    """`user_input` are the keys with spaces between them."""

    user_input: str

    @classmethod
    def from_dtmf_inputs(cls, dtmf_inputs: list[DtmfEvent]) -> GetDtmfResult:
        return cls(user_input=format_dtmf(dtmf_inputs))


class GetDtmfTask(AgentTask[GetDtmfResult]):
    """Gets `num_digits` keys, from a room with a telephone in it or by voice.

    It is done `dtmf_input_timeout` seconds after the last key, or at the `dtmf_stop_event`; the
    time does not run while somebody speaks. Keys count from where it is awaited: who knows the menu
    does not wait for its end. Mutable state: the keys, those from before it has entered, where
    they come from, the timer.
    """

    def __init__(
        self,
        *,
        num_digits: int,
        ask_for_confirmation: bool = False,
        dtmf_input_timeout: float = 4.0,
        dtmf_stop_event: DtmfEvent = DtmfEvent.POUND,
        chat_ctx: NotGivenOr[llm.ChatContext] = NOT_GIVEN,
        extra_instructions: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        if num_digits <= 0:
            raise ValueError("num_digits must be greater than 0")
        self._count = num_digits
        self._confirm = ask_for_confirmation
        self._patience = dtmf_input_timeout
        self._stop = dtmf_stop_event
        self._keys: list[DtmfEvent] = []
        self._early: list[DtmfEvent] | None = []
        self._where: RoomIO | None = None
        self._timer: asyncio.TimerHandle | None = None
        told = [
            INSTRUCTIONS.format(count=num_digits),
            CONFIRM if ask_for_confirmation else RECORD,
            arguments.said(extra_instructions, ""),
        ]
        super().__init__(instructions="\n".join(filter(None, told)), chat_ctx=chat_ctx)
        self._tools.append(
            self._ending("confirm_inputs" if ask_for_confirmation else "record_inputs")
        )

    def _ending(self, name: str) -> llm.Tool:
        about = "The user has agreed to the digits." if self._confirm else "Record the digits."

        @function_tool(name=name, description=about)
        async def end(inputs: list[DtmfEvent]) -> None:
            if len(inputs) != self._count:
                raise llm.ToolError(
                    f"{self._count} digits are needed, not {len(inputs)}; ask again"
                )
            if not self.done():
                self.complete(GetDtmfResult.from_dtmf_inputs(inputs))

        return end

    async def _in_its_seat(self) -> GetDtmfResult:
        self._where = self._in_room()
        if (room := self._room()) is None:
            return await super()._in_its_seat()
        room.on("sip_dtmf_received", self._received)
        try:
            return await super()._in_its_seat()
        finally:
            room.off("sip_dtmf_received", self._received)

    async def on_enter(self) -> None:
        self.session.on("user_state_changed", self._user_changed)
        self.session.on("agent_state_changed", self._agent_changed)
        early, self._early = self._early or [], None
        for key in early:
            self._press(key)
        if not self.done():
            self.session.generate_reply(tool_choice="none")

    async def on_exit(self) -> None:
        self._wait(False)
        self.session.off("user_state_changed", self._user_changed)
        self.session.off("agent_state_changed", self._agent_changed)

    def _press(self, key: DtmfEvent) -> None:
        """The user has pressed a key."""
        if self.done():
            return
        if self._early is not None:
            self._early.append(key)
        elif key is self._stop:
            self._read()
        else:
            self._keys.append(key)
            self._wait(True)

    def _received(self, event: rtc.SipDTMF) -> None:
        """It comes from outside: any digit, from anybody."""
        who, user = event.participant, self._user()
        stranger = user is not None and who is not None and who.identity != user.identity
        if event.digit in KEYS and not stranger:
            self._press(DtmfEvent(event.digit))

    def _user_changed(self, event: UserStateChangedEvent) -> None:
        self._wait(event.new_state != "speaking")

    def _agent_changed(self, event: AgentStateChangedEvent) -> None:
        self._wait(event.new_state not in ("speaking", "thinking"))

    def _wait(self, waiting: bool) -> None:
        """Read the keys when no other comes; not while somebody speaks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if waiting and self._keys:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._read)

    def _read(self) -> None:
        """No key follows: it is all of them, or too few."""
        self._wait(False)
        keys, self._keys = self._keys, []
        if self.done():
            return
        self.session.interrupt(force=True)
        if len(keys) != self._count:
            self.complete(llm.ToolError(f"{self._count} digits are needed, {len(keys)} came"))
        elif not self._confirm:
            self.complete(GetDtmfResult.from_dtmf_inputs(keys))
        else:
            pressed = PRESSED.format(keys=format_dtmf(keys))
            self.session.generate_reply(user_input=pressed, instructions=CONFIRM)

    def _room(self) -> rtc.Room | None:
        """The session's, else the job's; a console and a test have none."""
        if self._where is not None:
            return self._where.room
        job: Any = get_job_context(required=False)
        return None if job is None else job.room

    def _user(self) -> rtc.RemoteParticipant | None:
        """Who is asked for digits, where that is known."""
        return None if self._where is None else self._where.linked_participant

    def _in_room(self) -> RoomIO | None:
        inside = INSIDE.get()
        try:
            return inside.conversation.session.room_io if inside else None
        except UsageError:
            return None
