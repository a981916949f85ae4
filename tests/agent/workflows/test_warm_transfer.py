"""What a human is told who is to take a call over, and what has to be known to call them.

The transfer itself is in `tests/jobs/test_warm_transfer.py`, with a server and an exchange.
"""

from __future__ import annotations

from typing import Any

import pytest
from livekit import api
from livekit.agents import NOT_GIVEN
from livekit.agents.llm import ChatContext

from antiphon.beta.workflows import WarmTransferTask, WorkflowInstructions
from antiphon.workflows.phone import phone

TALK = ChatContext.empty()
TALK.add_message(role="system", content="Be kind.")
TALK.add_message(role="user", content="My parcel is lost.")
TALK.add_message(role="assistant", content="I am sorry.")
NUMBER = "+15105550123"


def told(**options: Any) -> str:
    return str(WarmTransferTask(NUMBER, sip_trunk_id="ST_line", **options).instructions)


def test_a_human_is_told_what_both_have_said_and_no_instructions() -> None:
    about = told(chat_ctx=TALK)
    assert "Caller: My parcel is lost.\nAssistant: I am sorry." in about
    assert "Be kind." not in about
    assert "connect_to_caller" in about


@pytest.mark.parametrize(
    "options",
    [
        {"instructions": WorkflowInstructions(extra="Speak French.")},
        {"extra_instructions": "Speak French."},
    ],
)
def test_a_program_adds_to_what_a_human_is_told(options: dict[str, Any]) -> None:
    about = told(chat_ctx=TALK, **options)
    assert "Speak French." in about
    assert "My parcel is lost." in about


def test_a_program_may_say_all_of_it_itself() -> None:
    assert told(chat_ctx=TALK, instructions="Say hello.") == "Say hello."


async def test_a_number_and_a_line_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEKIT_SIP_OUTBOUND_TRUNK", raising=False)
    with pytest.raises(ValueError, match="sip_call_to="):
        WarmTransferTask(sip_trunk_id="ST_line")
    with pytest.raises(ValueError, match="sip_trunk_id=, or sip_connection=, or set LIVEKIT_SIP"):
        WarmTransferTask(NUMBER)
    WarmTransferTask(target_phone_number=NUMBER, sip_trunk_id="ST_line")


def call(**options: Any) -> api.CreateSIPParticipantRequest:
    names = "call_to trunk_id connection number headers dtmf ringing_timeout".split()
    return phone(**(dict.fromkeys(names, NOT_GIVEN) | {"call_to": NUMBER} | options)).call("r", "i")


def test_the_environment_knows_the_line_and_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_SIP_OUTBOUND_TRUNK", "ST_env")
    monkeypatch.setenv("LIVEKIT_SIP_NUMBER", "+1555")
    assert (call().sip_trunk_id, call().sip_number) == ("ST_env", "+1555")
    assert call(trunk_id="ST_own", number="+1666").sip_trunk_id == "ST_own"


def test_a_connection_of_ones_own_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_SIP_OUTBOUND_TRUNK", "ST_env")
    asked = call(connection=api.SIPOutboundConfig(hostname="sip.example.com"))
    assert asked.sip_trunk_id == ""
    assert asked.trunk.hostname == "sip.example.com"
