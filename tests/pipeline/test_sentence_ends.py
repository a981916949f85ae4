"""What ends a sentence and what does not, by language and notation, as a model streams it."""

import math
import re

import pytest

from antiphon.pipeline.sentences import Sentences


def stops(text: str) -> list[str]:
    """Cut text as its tokens come, so that a short patience runs out between any two of them."""
    sentences = Sentences()
    chunks = []
    for moment, token in enumerate(re.findall(r"\s?\w+|\s?[^\w\s]+\w*|\s", text)):
        sentences.push(token, moment / 60)
        while (chunk := sentences.take(moment / 60 + 0.016, 0.9)) is not None:
            chunks.append(chunk)

    sentences.flush()
    while (chunk := sentences.take(math.inf, 0.9)) is not None:
        chunks.append(chunk)

    assert "".join(chunks) == text
    return [chunk.strip() for chunk in chunks]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met Mrs. Jones and Prof. Lee of the U.S. Army at St. John's.",
        "J. R. R. Tolkien and George W. Bush wrote it.",
        "Use fruit, e.g. apples, i.e. the red ones, approx. five kilos vs. ten.",
        "See No. 5 on p. 12 in vol. 3 of it.",
        "Meet at 10:30 a.m. Monday in Room 5.",
        "Pi is 3.14 and a pie is $5.99 or 1,000.50 for 12 of v2.3.1 at 10:30.",
        "Read https://example.com/a.b?c=d!e.f now or mail me@example.co.uk today.",
        "Look at www.example.com/index.html or example.org for more.",
        "Open main.py and code.with.dots in it.",
        'She asked "Really?" and he said "Stop." and left.',
        "Try Yahoo (yes!) and go.",
        "Am 3. Mai kommt z.B. Frau Dr. Huber bzw. Herr Maier usw. an.",
        "Inc. is short for incorporated, Ltd. is not.",
        "Well... maybe we could.",
    ],
)
def test_a_point_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert not [stop for stop in stops(text)[:-1] if not stop.endswith(",")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("He works for Acme Inc.", "The rest of us do not."),
        ("It closes at 5 p.m.", "Then we all go home."),
        ("She lives in the U.S.", "It is a large country."),
        ("I would say no.", "That is not what I mean."),
        ("The year was 1999.", "Nobody had a phone then."),
        ("Take version v2.3.1.", "It is the one that works."),
        ("Send it to me@example.co.uk.", "We will answer on Monday."),
        ("Is it «vraiment»?", "Nobody knows that but you."),
        ('He said "Stop it."', "Then he left the room quickly."),
        ("(It does that.)", "Nobody knows why it does."),
        ("**That is good news!**", "Your parcel came this morning."),
        ("*It really is.*", "Your parcel came this morning."),
        ("What is this?!", "Nobody asked me about that."),
        ("Hmm, so be it…", "Your parcel came this morning."),
        ("¿Cómo estás hoy?", "¡Muy bien, gracias a todos!"),
        ("Comment vas-tu ?", "Moi, je vais vraiment très bien."),
        ("Er sagte: „Gut so.“", "Danach ging er gleich nach Hause."),
        ("هل أنت بخير؟", "نعم أنا بخير شكرا لك."),
        ("मैं ठीक हूँ।", "आप आज कैसे हैं बताइए।"),
        ("Ես լավ եմ։", "Իսկ դու ինչպես ես այսօր։"),
        ("네, 알겠습니다.", "오늘 날씨는 아주 좋습니다."),
        ("我可以帮你。", "今天北京的天气非常好。"),
        ("はい、わかりました。", "明日の天気はきっと晴れでしょう。"),
        ("他说：“你好吗？”", "然后他就离开了这个房间。"),
        ("OK，谢谢你。", "Thanks again for all of that."),
    ],
)
def test_a_sentence_ends_with_all_its_closing_marks(first: str, second: str) -> None:
    joint = "" if first.endswith(("。", "”")) else " "
    chunks = stops(first + joint + second)
    said = [" ".join(chunks[:n]) for n in (1, 2)]

    assert first in (said if joint else [one.replace(" ", "") for one in said])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Here are your options:\n1. First one here\n2. Second one here\nWhich?",
            ["Here are your options:", "1. First one here", "2. Second one here", "Which?"],
        ),
        (
            "You can try these:\n- one good item\n- another good item\n* third",
            ["You can try these:", "- one good item", "- another good item", "* third"],
        ),
        (
            "There are two ways: 1. Take the early bus today. 2. Walk all the way home.",
            ["There are two ways: 1. Take the early bus today.", "2. Walk all the way home."],
        ),
        (
            "# A heading here\nThe text of it follows.\n\nA new paragraph",
            ["# A heading here", "The text of it follows.", "A new paragraph"],
        ),
        (
            "| a | b |\n|---|---|\n| c and d | e |",
            ["| a | b |", "|---|---|\n| c and d | e |"],
        ),
        (
            "No mark at this end\n\nThe next paragraph follows here",
            ["No mark at this end", "The next paragraph follows here"],
        ),
    ],
)
def test_lines_that_mean_something_are_kept_whole(text: str, expected: list[str]) -> None:
    assert stops(text) == expected


@pytest.mark.parametrize(
    "kept",
    ["**on its way to you**", "[the page of it](http://a.b/c)", "`run this for me`", "12 000 €"],
)
def test_markup_and_hard_spaces_are_not_torn_when_there_is_another_place(kept: str) -> None:
    text = f"Your large order is {kept} and then some more words for this test to go on with"
    chunks = Sentences()
    chunks.push(text, 0.0)

    first = chunks.take(1.0, -0.5)

    assert first is not None
    assert kept in first or kept.split()[0] not in first


def test_a_title_is_never_left_hanging_even_when_the_model_falls_silent() -> None:
    sentences = Sentences()
    sentences.push("Dr.", 0.0)

    assert sentences.take(60.0, 0.9) is None
    assert sentences.wait(60.0, 0.9) is None
