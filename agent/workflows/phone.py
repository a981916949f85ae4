"""A human agent's telephone: where it is, by which line it is called, and what is pressed then."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from livekit import api

from antiphon.arguments import given, said

if TYPE_CHECKING:
    from livekit.agents import NotGivenOr

logger = logging.getLogger("antiphon.workflows")

TRUNK: Final = "LIVEKIT_SIP_OUTBOUND_TRUNK"
NUMBER: Final = "LIVEKIT_SIP_NUMBER"


@dataclass(frozen=True, slots=True)
class Phone:
    """`ringing_timeout` in seconds."""

    call_to: str
    trunk_id: str | None
    connection: api.SIPOutboundConfig | None
    number: str
    headers: dict[str, str]
    dtmf: str
    ringing_timeout: float | None

    def call(self, room: str, identity: str) -> api.CreateSIPParticipantRequest:
        """What a SIP service is asked for: somebody in that room, once the call is taken."""
        asked = api.CreateSIPParticipantRequest(
            sip_trunk_id=self.trunk_id or "",
            sip_call_to=self.call_to,
            room_name=room,
            participant_identity=identity,
            wait_until_answered=True,
            sip_number=self.number,
            headers=self.headers,
            dtmf=self.dtmf,
        )
        if self.ringing_timeout is not None:
            asked.ringing_timeout.FromNanoseconds(round(self.ringing_timeout * 1e9))
        if self.connection is not None:
            asked.trunk.CopyFrom(self.connection)
        return asked


def phone(
    call_to: NotGivenOr[str],
    trunk_id: NotGivenOr[str | None],
    connection: NotGivenOr[api.SIPOutboundConfig],
    number: NotGivenOr[str],
    headers: NotGivenOr[dict[str, str]],
    dtmf: NotGivenOr[str | None],
    ringing_timeout: NotGivenOr[float | None],
) -> Phone:
    """What a program says of it, and the environment of the rest."""
    if not said(call_to, ""):
        raise ValueError("sip_call_to= must be set: the number or SIP address of the human agent")
    trunk = said(trunk_id, None if given(connection) else os.environ.get(TRUNK))
    if trunk is None and not given(connection):
        raise ValueError(f"write sip_trunk_id=, or sip_connection=, or set {TRUNK}")
    return Phone(
        said(call_to, ""),
        trunk,
        said(connection, None),
        said(number, os.environ.get(NUMBER, "")),
        said(headers, {}),
        said(dtmf, None) or "",
        said(ringing_timeout, None),
    )
