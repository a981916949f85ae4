"""A group of tasks: in order, with a way back, summed up at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from antiphon import AgentTask, ToolError
from antiphon.beta.workflows import (
    GetCreditCardTask,
    GetEmailResult,
    GetEmailTask,
    GetNameResult,
    GetNameTask,
    TaskCompletedEvent,
    TaskGroup,
    TaskGroupResult,
)
from antiphon.simulate import ScriptedLLM
from antiphon.workflows import cards
from tests.agent.workflows.asking import AFTER, TURNS, ask, calls, check, scripted, sentence
from tests.scripted_tools import story

if TYPE_CHECKING:
    from livekit.agents import llm

    from tests.scripted import Call

NAME, EMAIL, AGAIN = (sentence(first) for first in (600, 610, 620))
ADA, BOB = calls("update_name", first_name="Ada"), calls("update_name", first_name="Bob")
MAIL = calls("update_email_address", email="a@b.org")
PLAIN: Any = {"require_confirmation": False}


def group(call: Call, names: list[Any], mails: list[Any], **options: Any) -> TaskGroup:
    """First a name, then an e-mail address; each time a task is made it has the next script."""
    name, mail = iter(names), iter(mails)
    found = TaskGroup(**{"summarize_chat_ctx": False, **options})
    make: dict[str, Any] = {
        "name": lambda: scripted(GetNameTask(**PLAIN), call, next(name)),
        "mail": lambda: scripted(GetEmailTask(**PLAIN), call, next(mail)),
    }
    for step, about in (("name", "The name"), ("mail", "The e-mail address")):
        found.add(make[step], id=step, description=about)
    scripted(found, call, [])
    return found


def test_the_tasks_of_a_group_come_one_after_the_other() -> None:
    done: list[str] = []

    async def completed(event: TaskCompletedEvent) -> None:
        done.append(event.task_id)

    call, came = ask(
        lambda call: group(
            call, [[[NAME], [ADA]]], [[[EMAIL], [MAIL]]], on_task_completed=completed
        ),
        TURNS[:3],
    )
    check(call)
    both = {"name": GetNameResult("Ada"), "mail": GetEmailResult("a@b.org")}
    assert came == [TaskGroupResult(both)]
    assert done == ["name", "mail"]
    assert story(call)[-1] == f"assistant: {AFTER}"


def test_the_user_may_go_back_to_an_earlier_task() -> None:
    back = calls("out_of_scope", task_ids=["name"])
    made: list[TaskGroup] = []

    def make(call: Call) -> TaskGroup:
        names = [[[NAME], [ADA]], [[AGAIN], [BOB]]]
        made.append(group(call, names, [[[EMAIL], [back]], [[EMAIL], [MAIL]]]))
        return made[0]

    call, came = ask(make, TURNS)
    check(call)
    both = {"name": GetNameResult("Bob"), "mail": GetEmailResult("a@b.org")}
    assert came == [TaskGroupResult(both)]


def test_there_is_no_way_back_from_the_first_task_nor_to_an_unknown_one() -> None:
    back = calls("out_of_scope", task_ids=["mail"])
    call, came = ask(
        lambda call: group(call, [[[NAME], [ADA]]], [[[EMAIL], [back], [AGAIN], [MAIL]]]), TURNS[:4]
    )
    check(call)
    assert came[0].task_results["mail"] == GetEmailResult("a@b.org")
    assert any("no earlier step" in line for line in story(call))


@pytest.mark.parametrize("kept", [True, False])
def test_a_task_that_fails_ends_the_group_or_is_one_of_its_results(kept: bool) -> None:
    no = calls("decline_name_capture", reason="no wish")
    call, came = ask(
        lambda call: group(call, [[[NAME], [no]]], [[[EMAIL], [MAIL]]], return_exceptions=kept),
        TURNS[:3],
    )
    if kept:
        assert isinstance(came[0].task_results["name"], ToolError)
        assert came[0].task_results["mail"] == GetEmailResult("a@b.org")
    else:
        assert isinstance(came[0], ToolError)
        assert "no wish" in came[0].message


def test_what_is_said_between_two_tasks_is_answered_by_the_next() -> None:
    import asyncio

    async def slowly(event: TaskCompletedEvent) -> None:
        await asyncio.sleep(6.0 if event.task_id == "name" else 0.0)

    call, came = ask(
        lambda call: group(
            call, [[[NAME], [ADA]]], [[[EMAIL], [MAIL], [MAIL]]], on_task_completed=slowly
        ),
        TURNS[:3],
    )
    check(call)
    assert came[0].task_results["mail"] == GetEmailResult("a@b.org")
    assert story(call).count("user: zizi") == 1


NUMBER = {"card_number": "4111111111111111"}
DATE: Any = {"expiration_month": 1, "expiration_year": 99}


def test_a_whole_card_is_asked_for_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {
        "GetCardNumberTask": [[NAME], [calls("update_card_number", **NUMBER)]],
        "GetExpirationDateTask": [[EMAIL], [calls("update_expiration_date", **DATE)]],
        "GetSecurityCodeTask": [[AGAIN], [calls("update_security_code", security_code="012")]],
        "GetNameTask": [
            [sentence(630)],
            [calls("update_name", first_name="Ada", last_name="Love")],
        ],
    }

    def make(call: Call) -> AgentTask[Any]:
        for name, steps in parts.items():
            kind = getattr(cards, name)
            monkeypatch.setattr(
                cards, name, lambda kind=kind, steps=steps, **o: scripted(kind(**o), call, steps)
            )
        return scripted(GetCreditCardTask(require_confirmation=False), call, [])

    call, came = ask(make, TURNS)
    (card,) = came
    assert card == cards.GetCreditCardResult(
        "Ada Love", "Visa", NUMBER["card_number"], "012", "01/99"
    )
    assert "4111" not in repr(card)
    assert not any("4111" in record.json() for record in call.session.timeline.records)


# What is left of a group for the agent that waited.

SUMMARY = "The user is Ada."


def summed_up(model: ScriptedLLM, **options: Any) -> tuple[Call, list[str], list[Any]]:
    """A group of two tasks that is summed up by `model`; the texts that the agent then knows."""
    call, came = ask(
        lambda call: group(
            call, [[[NAME], [ADA]]], [[[EMAIL], [MAIL]]], summarize_chat_ctx=True, **options
        ),
        TURNS[:3],
        llm=model,
        until=60.0,
    )
    last = call.agent.requests[-1].context  # type: ignore[attr-defined]
    return call, [message.text_content or "" for message in last.messages()], came


def test_all_that_was_said_in_a_group_is_one_message_for_the_agent_that_waited() -> None:
    call, texts, came = summed_up(ScriptedLLM([SUMMARY]))
    check(call)
    assert texts[-1] == f"<chat_history_summary>\n{SUMMARY}\n</chat_history_summary>"
    assert not {NAME, EMAIL, "zeze", "zizi"} & set(texts)
    assert came[0].task_results["name"] == GetNameResult("Ada")
    said = [message.text_content for message in call.messages]
    assert {NAME, EMAIL, "zeze", "zizi"} < set(said)  # the session's history has it all


def test_a_summary_is_made_of_what_was_said_and_what_the_tools_were_called_with() -> None:
    model = ScriptedLLM([SUMMARY])
    summed_up(model)
    [asked] = model.asked
    told = asked.messages()[-1].text_content or ""
    lines = ("user: zeze", f"assistant: {NAME}", "called update_name", "Ada", "a@b.org")
    assert all(line in told for line in lines)


def test_a_group_is_not_lost_when_it_cannot_be_summed_up() -> None:
    def broken(_: llm.ChatContext) -> str:
        raise OSError("no model")

    for model in (ScriptedLLM(broken), ScriptedLLM([""])):
        call, texts, came = summed_up(model)
        assert {NAME, EMAIL, "zeze", "zizi"} < set(texts)
        assert came[0].task_results["mail"] == GetEmailResult("a@b.org")
        assert story(call)[-1] == f"assistant: {AFTER}"


def test_a_model_that_never_sums_up_holds_the_group_for_a_while_only() -> None:
    call, texts, came = summed_up(ScriptedLLM([SUMMARY], first_token=1e6))
    assert {NAME, EMAIL, "zeze", "zizi"} < set(texts)
    assert came[0].task_results["mail"] == GetEmailResult("a@b.org")
    assert story(call)[-1] == f"assistant: {AFTER}"
