"""What a tool found is told in the end, although its telling was interrupted or failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.long_tools import agent, ids, requests, search, told
from tests.scripted import at, check, hold, sentence, user
from tests.scripted_tools import Caller, calls, story
from tests.sweeps import each

ONE, TWO, THREE, FOUR = (sentence(n) for n in (0, 10, 20, 30))
LONG = " ".join(sentence(n) for n in (40, 50, 60, 70))


@pytest.mark.parametrize("moment", each([round(2.0 + 0.01 * n, 2) for n in range(500)]))
def test_a_barge_in_at_any_moment_loses_no_result(moment: float) -> None:
    """Whatever it cuts, the user is told of the result in the end."""
    texts = [[sentence(n)] for n in range(100, 300, 10)]
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(moment, moment + 0.6, "zeze"),
        agent=agent([calls("search", "c", seconds=2.5)], *texts),
    )
    check(call)
    assert ids(call) == ["c", "c_final"]
    replies = [event.update for event in call.reported("tool_execution_updated")]
    assert [r.status for r in replies if r.type == "tool_reply_updated"][-1] == "completed"


def test_the_user_hears_of_a_result_whose_telling_they_had_interrupted() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        user(6.3, 6.9, "zeze"),
        agent=agent([calls("search", seconds=4.0)], [ONE], [LONG], [THREE], [FOUR]),
    )
    check(call)
    assert [line for line in story(call) if line.startswith("assistant")][-2:] == [
        f"assistant: {THREE}",
        f"assistant: {FOUR}",
    ]
    assert [line for line in told(call) if line.startswith("tool_reply")] == [
        "tool_reply_updated scheduled",
        "tool_reply_updated interrupted",
        "tool_reply_updated scheduled",
        "tool_reply_updated completed",
    ]
    assert requests(call)[-1].at == call.records("gone")[-2].t + 2.0


def test_the_user_hears_of_a_result_whose_telling_the_application_had_interrupted() -> None:
    call = hold(
        user(0.2, 0.8, "zaza"),
        at(5.6, lambda call: call.session.interrupt()),
        agent=agent([calls("search", seconds=4.0)], [ONE], [TWO], [THREE]),
    )
    check(call)
    assert call.heard[-6:] == THREE.split()


def test_the_user_hears_of_a_result_although_the_model_had_failed_at_it() -> None:
    class Failing(Caller):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            if len(self.requests) in (2, 3):
                self.requests.append(self.requests[-1])
                raise OSError("the model is away")
            async for chunk in Caller.llm_node(self, chat_ctx, tools, model_settings):
                yield chunk

    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Failing(call, [[calls("search")], [ONE], [TWO]], [search]),
    )
    check(call, errors=2)
    assert call.heard == f"{ONE} {TWO}".split()


def test_a_model_that_keeps_failing_at_a_result_is_not_asked_for_ever() -> None:
    class Failing(Caller):
        async def llm_node(self, chat_ctx: Any, tools: Any, model_settings: Any) -> Any:
            if len(self.requests) >= 2:
                raise OSError("the model is away")
            async for chunk in Caller.llm_node(self, chat_ctx, tools, model_settings):
                yield chunk

    call = hold(
        user(0.2, 0.8, "zaza"),
        agent=lambda call: Failing(call, [[calls("search")], [ONE]], [search]),
    )
    check(call, errors=3)
    assert call.heard == ONE.split()
