"""A machine's menu: the model presses keys, and is asked to go on where it waits or repeats."""

from __future__ import annotations

import random
from typing import Any

import pytest
from livekit.agents.voice.ivr.ivr_activity import TfidfLoopDetector

from antiphon import AMD, Agent, mock_tools
from antiphon.beta.tools import send_dtmf_events
from antiphon.ivr import Repetition
from antiphon.simulate import ScriptedLLM, calling, calls, pauses, says

MENU = "For sales press one, for anything else stay on the line"
SALES = calls("send_dtmf_events", events=["1"])


class Buyer(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="You call the sales department.", **options)


def keys(pressed: list[str]) -> dict[str, Any]:
    def press(events: list[str]) -> str:
        pressed.extend(events)
        return "pressed"

    return {"send_dtmf_events": press}


async def test_a_model_that_is_told_of_a_menu_presses_its_keys() -> None:
    pressed: list[str] = []
    with mock_tools(Buyer, keys(pressed)):
        async with calling(Buyer(), llm=[SALES, "Good."], ivr_detection=True) as call:
            await call.play(says(MENU), pauses(3.0))
    assert pressed == ["1"]


async def test_a_menu_that_waits_is_gone_on_with_after_five_seconds_of_silence() -> None:
    pressed: list[str] = []
    with mock_tools(Buyer, keys(pressed)):
        async with calling(Buyer(), llm=["Hm.", SALES, "Good."], ivr_detection=True) as call:
            await call.play(says(MENU))
            await call.play(pauses(4.5))
            assert pressed == []
            await call.play(pauses(2.0))
            assert pressed == ["1"]


async def test_a_menu_that_has_not_begun_is_waited_for() -> None:
    async with calling(Buyer(), llm=[], ivr_detection=True, user_away_timeout=None) as call:
        await call.play(pauses(30.0))
    assert call.said("agent") == []


async def test_a_menu_that_repeats_itself_has_the_model_do_something_else() -> None:
    """At once, though the voice goes on; and it is asked once, or a key would be pressed twice."""
    replies = ["Hm.", "Hm.", "Hm.", "Sales."]
    async with calling(Buyer(), llm=replies, ivr_detection=True) as call:
        await call.play(*(says(MENU) for _ in range(4)), pauses(3.0))
        handle = call.session.history.messages()[-1]
        assert handle.text_content == "Sales."
    assert call.said("agent") == replies


async def test_without_ivr_detection_no_keys_are_offered_and_silence_is_silence() -> None:
    async with calling(Buyer(), llm=["Hm."]) as call:
        await call.play(says(MENU), pauses(20.0))
        assert send_dtmf_events not in call.session.conversation.toolsets.offered(call.agent)
    assert call.said("agent") == ["Hm."]


async def test_an_agent_that_has_the_keys_already_is_offered_them_once() -> None:
    buyer = Buyer(tools=[send_dtmf_events])
    async with calling(buyer, llm=[], ivr_detection=True) as call:
        offered = call.session.conversation.toolsets.offered(buyer)
        assert offered.count(send_dtmf_events) == 1


async def test_a_menu_that_answers_a_call_is_steered_through_from_then_on() -> None:
    pressed: list[str] = []
    judge = ScriptedLLM([calls("save_prediction", label="machine-ivr")])
    with mock_tools(Buyer, keys(pressed)):
        async with calling(Buyer(), llm=["Hello?", SALES, "Good."]) as call:
            async with AMD(call.session, llm=judge) as amd:
                await call.play(says(MENU, at=1.0))
                assert (await amd.execute()).category == "machine-ivr"
            await call.play(pauses(8.0))
    assert pressed == ["1"]


async def test_amd_with_ivr_detection_off_leaves_the_menu_to_the_program() -> None:
    judge = ScriptedLLM([calls("save_prediction", label="machine-ivr")])
    async with calling(Buyer(), llm=[]) as call:
        async with AMD(call.session, llm=judge, ivr_detection=False) as amd:
            await call.play(says(MENU, at=1.0))
            await amd.execute()
        await call.play(pauses(30.0))
    assert call.said("agent") == []


@pytest.mark.parametrize("seed", range(200))
def test_what_repeats_itself_is_told_as_livekit_tells_it(seed: int) -> None:
    dice = random.Random(seed)
    words = "press one two for sales support please stay on the line a I main menu".split()
    phrases = [" ".join(dice.choices(words, k=dice.randint(0, 8))) for _ in range(5)]
    theirs, ours = TfidfLoopDetector(), Repetition()
    for _ in range(40):
        text = dice.choice(phrases) + dice.choice(["", "", " please", " again"])
        theirs.add_chunk(text)
        expected = theirs.check_loop_detection()
        if expected:
            theirs.reset()
            theirs._num_consecutive_similar_chunks = 0
        assert ours.heard(text) == expected
