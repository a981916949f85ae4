"""A whole program held turn by turn: handoffs, groups, ready-made tasks, toolsets, userdata."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from antiphon import AgentSession, ToolError, mock_tools
from antiphon.simulate import ScriptedLLM, calls, does, says, simulate
from tests.agent.hotel import Agreement, Cashier, Concierge, Desk, Stay

if TYPE_CHECKING:
    from antiphon import RunResult
    from antiphon.simulate import Calls

BOOKING: list[tuple[str, list[str | Calls]]] = [
    ("Room 7", [calls("book", room="7"), "Your name?"]),
    ("Ada Lovelace", [calls("update_name", first_name="Ada", last_name="Lovelace"), "E-mail?"]),
    ("ada at x dot org", [calls("update_email_address", email="ada@x.org"), "Phone?"]),
    ("A phone", [calls("update_phone_number", phone_number="+14155550123"), "Address?"]),
    (
        "An address",
        [
            calls("update_address", street_address="1 Sea Rd", locality="Hove", country="England"),
            "Born when?",
        ],
    ),
    ("Sorry, it is Eda", [calls("out_of_scope", task_ids=["name"]), "Your name then?"]),
    ("Eda", [calls("update_name", first_name="Eda", last_name="Lovelace"), "And born?"]),
    ("In 1990", [calls("update_dob", year=1990, month=2, day=1), "The rules of the house?"]),
    ("Yes", [calls("agreed"), "Booked."]),
]
SUMMARY = "The guest gave a card."  # the group of a card's parts asks for it
PAYING: list[tuple[str, list[str | Calls]]] = [
    ("I want to pay", [calls("to_cashier"), "Here is the cashier."]),
    ("Pay", [calls("pay"), "The number?"]),
    ("A number", [calls("update_card_number", card_number="4242424242424242"), "Until when?"]),
    ("35", [calls("update_expiration_date", expiration_month=1, expiration_year=35), "Code?"]),
    ("A code", [calls("update_security_code", security_code="123"), "On whose name?"]),
    ("Eda", [calls("update_name", first_name="Eda", last_name="Lovelace"), SUMMARY, "PIN?"]),
    ("1 2 3 4", [calls("record_inputs", inputs=["1", "2", "3", "4"]), "Paid."]),
]


async def talk(
    session: AgentSession[Stay], model: ScriptedLLM, turns: list[tuple[str, list[str | Calls]]]
) -> list[RunResult[None]]:
    """Hold these turns; what came of each."""
    results = []
    replies: list[str | Calls] = [""] * len(model.asked)  # those before were given
    for said, answers in turns:
        replies += answers
        model.replies = replies
        results.append(await session.run(user_input=said))
        assert len(model.asked) == len(replies), said
    return results


async def test_a_booking_goes_through_its_tasks_and_back_to_an_earlier_one() -> None:
    model = ScriptedLLM([])
    async with AgentSession[Stay](llm=model, userdata=Stay(), vad=None) as session:
        await session.start(Desk())
        results = await talk(session, model, BOOKING)
        stay = session.userdata
        assert isinstance(session.current_agent, Desk)
    assert stay.room == "7"
    assert stay.done == ["name", "email", "phone", "address", "name", "born"]
    assert list(stay.guest) == ["name", "email", "phone", "address", "born"]
    assert getattr(stay.guest["name"], "first_name", "") == "Eda"
    assert getattr(stay.guest["born"], "date_of_birth", None) == date(1990, 2, 1)
    results[0].expect.next_event().is_function_call(name="book", arguments={"room": "7"})
    results[0].expect.next_event().is_agent_handoff()
    results[-1].expect.contains_function_call_output(output="room 7 is booked for Eda")
    results[-1].expect.contains_agent_handoff(new_agent_type=Desk)
    results[-1].expect[-1].is_message(role="assistant")


async def test_a_guest_who_does_not_agree_books_nothing() -> None:
    model = ScriptedLLM([])
    refusal: list[str | Calls] = [calls("refused", why="too strict"), "A pity."]
    async with AgentSession[Stay](llm=model, userdata=Stay(), vad=None) as session:
        await session.start(Desk())
        results = await talk(session, model, [*BOOKING[:-1], ("No", refusal)])
        assert session.userdata.room == ""
    said = "the guest does not agree: too strict"
    results[-1].expect.contains_function_call_output(output=said, is_error=True)


async def test_a_card_is_taken_by_the_cashier_and_is_in_no_history() -> None:
    model = ScriptedLLM([])
    async with AgentSession[Stay](llm=model, userdata=Stay(room="7"), vad=None) as session:
        await session.start(Desk())
        results = await talk(session, model, PAYING)
        stay, history = session.userdata, session.history.to_dict()
        assert isinstance(session.current_agent, Desk)
    assert stay.card == "4242"
    assert stay.pin.replace(" ", "") == "1234"
    assert "4242424242424242" not in str(history)
    results[0].expect.contains_agent_handoff(new_agent_type=Cashier)
    results[-1].expect.contains_agent_handoff(new_agent_type=Desk)
    results[-1].expect.contains_message(role="assistant")


async def test_a_toolset_is_open_as_long_as_the_agent_that_has_it() -> None:
    model = ScriptedLLM([])
    async with AgentSession[Stay](llm=model, userdata=Stay(room="7"), vad=None) as session:
        await session.start(Desk())
        await talk(session, model, [("The concierge", [calls("to_concierge")])])
        concierge = session.current_agent
        assert isinstance(concierge, Concierge)
        assert concierge.minibar.life == ["opened"]
        wanted = calls("order", items=["water"], size="large").and_calls("stock")
        results = await talk(
            session,
            model,
            [
                ("Water", [wanted, "Coming."]),
                ("Champagne", [calls("order", items=["champagne"]), "None left."]),
                ("Huge", [calls("order", items=["water"], size="huge"), "Small or large?"]),
                ("The desk", [calls("to_desk")]),
            ],
        )
        assert concierge.minibar.life == ["opened", "closed"]
        assert session.userdata.ordered == ["large water"]
    first = results[0].expect
    first.next_event().is_function_call(name="order")
    first.contains_function_call_output(output="1 on the way to 7")
    first.contains_function_call_output(output="{'water': 4, 'juice': 2}")
    none_left = "there is no champagne left"
    results[1].expect.contains_function_call_output(output=none_left, is_error=True)
    results[2].expect.contains_function_call_output(is_error=True)
    results[3].expect.contains_message(role="assistant")  # what it says on leaving


async def test_a_task_alone_gives_its_result_and_mocks_stand_in_for_tools() -> None:
    model = ScriptedLLM(["The rules?", calls("agreed")])
    async with AgentSession[Stay](llm=model, userdata=Stay(), vad=None) as session:
        await session.start(Agreement("the rules"))
        result = await session.run(user_input="Yes", output_type=bool)
        assert result.final_output is True

    def full(room: str) -> None:
        raise ToolError(f"room {room} is taken")

    judge = ScriptedLLM([calls("check_intent", success=True, reason="says so")])
    model = ScriptedLLM([calls("book", room="9"), "It is taken."])
    async with AgentSession[Stay](llm=model, userdata=Stay(), vad=None) as session:
        await session.start(Desk())
        with mock_tools(Desk, {"book": full}):
            taken = await session.run(user_input="Room 9")
    taken.expect.next_event().is_function_call(name="book")
    taken.expect.next_event().is_function_call_output(output="room 9 is taken", is_error=True)
    await taken.expect.next_event().is_message(role="assistant").judge(judge, intent="says no")


@pytest.mark.parametrize("said", ["Yes", "Yes please"])
def test_the_same_program_is_held_aloud(said: str) -> None:
    stay = Stay(room="7")
    replies: list[str | Calls] = [
        calls("to_concierge"),
        calls("order", items=["water"]),
        "Water is on its way.",
        calls("to_desk"),
    ]
    script = [says("The concierge"), says(said), says("Thanks")]
    session = AgentSession[Stay](userdata=stay, user_away_timeout=None)
    call = simulate(Desk(), [*script, does(lambda _: None)], session=session, llm=replies)
    assert call.said("agent") == [
        "Welcome to the hotel.",
        "Water is on its way.",
        "At your service.",
        "Welcome to the hotel.",
    ]
    assert stay.ordered == ["small water"]
