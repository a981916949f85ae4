"""A hook that passes a turn over (StopResponse) has the last word, as in LiveKit's session."""

from __future__ import annotations

from typing import Any

import pytest
from livekit import agents as livekit

import antiphon
from tests.agent.side_by_side import Case, held

REPLIES = {
    "hey": "You said hey.",
    "story": "One two three four five six seven eight nine ten.",
}


def deaf_to_never_mind(kit: Any) -> Any:
    """Whoever says "never mind" wants no answer: not to that, and not to what they said before."""

    class Choosy(kit.Agent):  # type: ignore[misc]
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            if "never mind" in new_message.text_content:
                raise kit.StopResponse

    return Choosy(instructions="Answer.")


@pytest.mark.parametrize("kit", [livekit, antiphon])
@pytest.mark.parametrize("begins", [2.2, 4.0], ids=["before it is heard", "while it is heard"])
def test_an_answer_that_a_passed_over_turn_has_cut_is_not_given_again(
    kit: Any, begins: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ((0.5, 1.5, "story"), (begins, begins + 0.8, "never mind that"), (9.0, 9.5, "hey"))
    lines = held(kit, Case(said, REPLIES, deaf_to_never_mind, until=14.0), monkeypatch)
    spoken = [(at, line) for at, line in lines if line == "agent speaking"]
    after = [at for at, _ in spoken if at > begins + 0.8]
    assert len(after) == 1
    assert after[0] > 9.5
