"""The survey sample, held by a scripted caller and a scripted model."""

from __future__ import annotations

import runpy
from pathlib import Path

from antiphon.beta.workflows import GetEmailResult, GetNameResult
from antiphon.simulate import calls, says, simulate

SURVEY = Path(__file__).parents[2] / "samples" / "survey.py"


def test_a_survey_goes_back_to_an_earlier_question_and_to_the_end() -> None:
    survey = runpy.run_path(str(SURVEY))["Survey"]()
    call = simulate(
        survey,
        [
            says("I am Ada"),
            says("Yes"),
            says("It was a four"),
            says("Wait, make that a five"),
            says("Five"),
            says("Ada at example dot org"),
            says("Right"),
        ],
        llm=[
            "What is your name?",
            calls("update_name", first_name="Ada"),
            "Ada, is that right?",
            calls("confirm_name"),
            "How was your visit?",
            calls("record_rating", rating=4),
            "What is your address?",
            calls("out_of_scope", task_ids=["rating"]),
            "How was it then?",
            calls("record_rating", rating=5),
            "And your address?",
            calls("update_email_address", email="ada at example dot org"),
            "Is it ada at example dot org?",
            calls("confirm_email_address"),
        ],
    )
    assert survey.answers == {
        "name": GetNameResult("Ada"),
        "rating": 5,
        "email": GetEmailResult("ada@example.org"),
    }
    assert call.said("agent")[-1] == "Thank you, that was all. Goodbye!"
