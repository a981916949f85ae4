"""How long a silence ends a turn, and what of a late transcript is new."""

import pytest

from antiphon.pipeline.endpointing import Pauses, patience, same_words, without_handed
from antiphon.pipeline.observations import Score
from antiphon.pipeline.turn_table import Rules
from antiphon.pipeline.utterance import Utterance


@pytest.mark.parametrize(
    ("score", "seconds"), [(None, 0.25), (0.0, 4.0), (0.49, 4.0), (0.5, 0.25), (1.0, 0.25)]
)
def test_only_a_score_below_its_threshold_asks_for_max_delay(
    score: float | None, seconds: float
) -> None:
    told = None if score is None else Score(score, 0.5)
    assert patience(Rules(min_delay=0.25, max_delay=4.0), told, Pauses()) == seconds


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        *(("Hello, world!", "hello  world", True), ("don't", "Don't.", True), ("", "…", True)),
        *(
            ("a b", "ab", False),
            ("a", "", False),
            ("don't", "dont", False),
            ("你好。", "你好", True),
        ),
    ],
)
def test_marks_case_and_spaces_make_no_other_words(one: str, other: str, same: bool) -> None:
    assert same_words(one, other) is same
    assert same_words(other, one) is same


@pytest.mark.parametrize(
    ("text", "handed", "new"),
    [
        ("Hello, there my friend", "hello there", "my friend"),
        ("hello there", "Hello there.", ""),
        ("hello", "hello there", "hello"),
        ("yellow bear", "hello", "yellow bear"),
        ("helloing there", "hello", "helloing there"),
        ("well-known facts", "well", "well-known facts"),
        ("well-known facts", "well known", "facts"),
        ("oh hello", "hello", "oh hello"),
        ("anything", "", "anything"),
        ("anything", "…", "anything"),
        ("", "hello", ""),
        ("你好世界", "你好", "世界"),
        ("你好。世界！", "你好", "世界！"),
        ("我想订一张桌子", "我想", "订一张桌子"),
        ("はい、お願いします", "はい", "お願いします"),
        ("สวัสดีครับ", "สวัสดี", "ครับ"),
        ("你好世界", "世界", "你好世界"),
    ],
)
def test_only_a_transcript_that_begins_with_what_was_handed_on_is_shortened(
    text: str, handed: str, new: str
) -> None:
    assert without_handed(text, handed) == new


def test_an_utterance_is_settled_when_all_its_words_are_final() -> None:
    said = Utterance()
    assert not said.settled
    said.hear("one", final=False)
    assert not said.settled
    said.hear("one  two ", final=True)
    assert (said.text, said.settled) == ("one two", True)
    said.hear("three", final=False)
    assert (said.text, said.settled) == ("one two three", False)
    said.hear("", final=True)
    assert (said.text, said.settled) == ("one two", True)
    said.hand_on()
    assert (said.text, said.settled) == ("", False)


def test_an_interim_that_says_the_same_is_no_news() -> None:
    said = Utterance()
    assert said.hear("one", final=False)
    assert not said.hear(" one ", final=False)
    said.hand_on()
    assert not said.hear("one", final=False), "it was handed on"
    assert said.hear("one two", final=False)
    assert said.text == "two"


def test_a_recogniser_that_was_replaced_revises_its_own_words_and_no_others() -> None:
    said = Utterance()
    said.hear("one too", final=False, recogniser=1)
    said.hear("three", final=False, recogniser=2)
    assert said.text == "one too three"
    said.hear("three", final=True, recogniser=2)
    assert not said.settled
    said.hear("one two", final=True, recogniser=1)
    assert (said.text, said.settled) == ("one two three", True)


def test_a_recogniser_that_was_replaced_may_repeat_late_what_was_handed_on() -> None:
    said = Utterance()
    said.hear("one", final=False, recogniser=1)
    said.hear("two", final=True, recogniser=2)
    said.hand_on()
    said.hear("one", final=True, recogniser=1)
    said.hear("three", final=True, recogniser=2)
    assert said.text == "three"


def test_the_next_recogniser_may_repeat_what_was_handed_on() -> None:
    said = Utterance()
    said.hear("one", final=False, recogniser=1)
    said.hand_on()
    said.hear("one two", final=True, recogniser=2)
    assert said.text == "two"
