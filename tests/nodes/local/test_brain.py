"""Conversations with the built-in stand-in, as text: who said what, and what comes back."""

from __future__ import annotations

import random
import re
import time

import pytest

from antiphon.nodes.local.arithmetic import numbers_in, sum_of
from antiphon.nodes.local.brain import Conversation, Turn, name_in, plain, reply
from antiphon.nodes.local.stories import STORIES

NOON = time.mktime((2024, 5, 14, 12, 5, 0, 0, 0, -1))
DICTATED_TO_US = (
    "the cat sat on a mat two three story time is what plus stop name you are a".split()
)


def talk(*said: str, name: str | None = None, now: float = NOON) -> list[str]:
    """Say these things in turn; answer every reply."""
    turns: tuple[Turn, ...] = ()
    replies = []

    for text in said:
        turns += (Turn("user", text),)
        replies.append(reply(Conversation(turns, now, name)))
        turns += (Turn("assistant", replies[-1]),)

    return replies


def heard(text: str, *turns: Turn) -> str:
    return reply(Conversation((*turns, Turn("user", text)), NOON))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("hello", "Hello!"),
        ("hey there", "Hello!"),
        ("Good morning!", "Hello!"),
        ("what time is it", "It is 12:05 in the afternoon."),
        ("what time is at", "It is 12:05 in the afternoon."),
        ("hello what time is it please", "It is 12:05 in the afternoon."),
        ("wait, what time is it?", "It is 12:05 in the afternoon."),
        ("do you have the time", "It is 12:05 in the afternoon."),
        ("what's the date today", "Today is Tuesday, May 14, 2024."),
        ("what day is it", "Today is Tuesday, May 14, 2024."),
        ("tell me a story", "Here is one. On a rock"),
        ("tell me a story about a fox", "Here is one. A young fox"),
        ("what are you", "I am a small rule-based stand-in"),
        ("are you a real person", "I am a small rule-based stand-in"),
        ("is this a robot", "I am a small rule-based stand-in"),
        ("what is your name", "I have no name of my own."),
        ("how are you", "I am working as I should"),
        ("help", "I can tell you the time"),
        ("what can you do", "I can tell you the time"),
        ("thank you very much", "You are welcome."),
        ("goodbye", "Goodbye."),
        ("good buy", "Goodbye."),
        ("have a nice day", "Goodbye."),
        ("stop", "Okay, stopped."),
        ("okay that's enough", "Okay, stopped."),
        ("please be quiet", "Okay, stopped."),
        ("who is the president of france", "I do not know that, and I would rather not invent it."),
        ("what's the weather like", "I do not know that, and I would rather not invent it."),
        ("", "I did not hear anything."),
        ("…", "I did not hear anything."),
    ],
)
def test_a_single_question_gets_its_answer(said: str, answer: str) -> None:
    assert talk(said)[0].startswith(answer)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("what is twelve times seven", "12 times 7 is 84."),
        ("what's 12 x 7", "12 times 7 is 84."),
        ("what is two hundred and five plus a thousand", "205 plus 1000 is 1205."),
        ("twenty five minus thirty", "25 minus 30 is minus 5."),
        ("ten divided by three", "10 divided by 3 is about 3.33."),
        ("three plus four times five", "3 plus 4 times 5 is 23."),
        ("what is the sum of three and four", "3 plus 4 is 7."),
        ("take three away from ten", "10 minus 3 is 7."),
        ("one point five times four", "1.5 times 4 is 6."),
        ("what is 1,234 + 1", "1234 plus 1 is 1235."),
        # As a recogniser hears "two", "four" and "times".
        ("what is seven times to", "7 times 2 is 14."),
        ("what is ten divided by for", "10 divided by 4 is 2.5."),
        ("what is nine time nine", "9 times 9 is 81."),
        ("ten divided by zero", "I cannot divide by zero, and neither can anyone else."),
    ],
)
def test_sums_are_right_as_they_are_said_and_as_they_are_heard(said: str, answer: str) -> None:
    assert talk(said) == [answer]


@pytest.mark.parametrize("said", ["five plus", "minus five", "two and two", "what time", "one two"])
def test_half_a_sum_is_not_answered(said: str) -> None:
    assert sum_of(said) is None


def test_every_number_under_two_thousand_is_understood_in_words() -> None:
    ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen".split()
    ones += "fourteen fifteen sixteen seventeen eighteen nineteen".split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()

    def words(n: int) -> str:
        if n < 20:
            return ones[n]
        if n < 100:
            return tens[n // 10 - 2] + (f" {ones[n % 10]}" if n % 10 else "")
        big, unit = (n // 1000, "thousand") if n >= 1000 else (n // 100, "hundred")
        rest = n % (1000 if n >= 1000 else 100)
        return f"{words(big)} {unit}" + (f" and {words(rest)}" if rest else "")

    assert all(numbers_in(words(n)) == [n] for n in range(2000))


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [
        (0, 0, "It is 12 o'clock in the morning."),
        (9, 5, "9:05 in the morning"),
        (18, 30, "6:30 in"),
    ],
)
def test_the_time_is_the_time_given(hour: int, minute: int, said: str) -> None:
    now = time.mktime((2024, 5, 14, hour, minute, 0, 0, 0, -1))

    assert said in talk("what time is it", now=now)[0]


def test_there_are_three_stories_long_enough_to_interrupt() -> None:
    told = talk(*["tell me a story"] * 4)

    assert len(set(told[:3])) == 3
    assert STORIES["lighthouse"] in told[3]
    # 25 s of speech at a brisk 3.5 words a second.
    assert all(len(story.split()) > 90 for story in told)


def test_an_interrupted_story_goes_on_at_the_sentence_that_was_cut() -> None:
    cut = "Here is one. " + STORIES["lighthouse"][:200].rsplit(" ", 1)[0]
    asked = Turn("user", "tell me a story")
    stopped = Turn("user", "stop"), Turn("assistant", "Okay, stopped.")

    more = ""

    for between in ((), stopped):
        more = heard("go on please", asked, Turn("assistant", cut), *between)
        assert more.startswith("Where was I? Every evening he climbed ninety nine steps")
        assert more.count("lighthouse") == 0

    once_more = heard("continue", asked, Turn("assistant", more[:150].rsplit(" ", 1)[0]))
    assert once_more.startswith("Where was I? ")
    assert plain(more).endswith(plain(once_more)[len("where was i ") :])


def test_a_story_heard_to_its_end_does_not_go_on() -> None:
    assert talk("tell me a story", "go on")[1].startswith("That was the end")


def test_yes_after_a_story_brings_another_and_no_does_not() -> None:
    replies = talk("tell me a story", "yes please", "no thank you")

    assert replies[1].startswith("Here is another. A young fox")
    assert replies[2] == "All right. Tell me when you want something."


def test_say_that_again_repeats_what_was_heard() -> None:
    assert talk("what is two plus two", "pardon", "say that again")[1:] == [
        "I said: 2 plus 2 is 4.",
        "I said: 2 plus 2 is 4.",
    ]
    assert talk("can you repeat that") == ["I have not said anything yet."]


def test_names_on_both_sides_are_kept() -> None:
    replies = talk("my name is bob", "what is my name", "what's your name", "goodbye", name="Ada")

    assert replies[0].startswith("Nice to meet you, Bob.")
    assert replies[1] == "You told me your name is Bob."
    assert replies[2].startswith("I am Ada")
    assert "Bob" in replies[3]


@pytest.mark.parametrize(
    ("instructions", "name"),
    [
        ("You are Ada, a helpful assistant.", "Ada"),
        ("You are a voice assistant. Your name is Eve.", "Eve"),
        ("you are an assistant called Ada Lovelace.", "Ada Lovelace"),
        ("You are a helpful assistant.", None),
        ("You are not here to chat. A rule.", None),
        ("", None),
    ],
)
def test_instructions_may_give_a_name(instructions: str, name: str | None) -> None:
    assert name_in(instructions) == name


def test_what_is_not_understood_is_said_so_in_varying_words() -> None:
    replies = talk("bananas", "purple turtles", "the wall")

    assert len(set(replies)) == 3
    assert all(a != b for a, b in zip(replies, replies[1:], strict=False))


def test_an_agent_that_begins_greets_or_says_what_it_was_told_to() -> None:
    def unasked(order: str, *turns: Turn) -> str:
        return reply(Conversation(turns, NOON, "Ada", order))

    assert unasked("").startswith("Hello! I am Ada.")
    assert unasked("Greet the user.", Turn("assistant", "x")).startswith("Hello!")
    assert unasked("Say exactly: 'no', say \"Welcome aboard.\"") == "Welcome aboard."
    assert unasked("Say goodbye.", Turn("assistant", "x")).startswith("Goodbye")
    assert unasked("", Turn("user", "hi"), Turn("assistant", "Hello")).startswith("I am still here")


def test_the_same_conversation_is_answered_the_same_way_and_never_with_nothing() -> None:
    chance = random.Random(7)

    for _ in range(500):
        said = [" ".join(chance.choices(DICTATED_TO_US, k=chance.randint(0, 9))) for _ in range(3)]
        replies = talk(*said)
        assert replies == talk(*said)
        assert all(re.search(r"\w", text) for text in replies), said
