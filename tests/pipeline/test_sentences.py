"""When a chunk goes: first sound, growing and shrinking with the sound that is queued, laws."""

import math
import random
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from antiphon.pipeline.sentence_breaks import FAR, Breaks
from antiphon.pipeline.sentence_ends import HOLD, LONG_HOLD
from antiphon.pipeline.sentences import LADDER, LONGEST, Sentences
from antiphon.pipeline.source import Chunker
from antiphon.pipeline.words import joined, speakable, words

FIRST = -math.inf
OFFICE = (
    "The office on the second floor is open every weekday from nine in the morning until half past"
    " five in the afternoon and you can come in at any time without an appointment if you bring a"
    " copy of your contract and a document that shows your current address."
)
PARCEL = (
    "Your order number four five nine left our warehouse this morning on a truck that should reach"
    " the city before noon tomorrow, unless the mountain road is closed by the snow again."
)
BARE = " ".join(f"{letter}ord{letter}" for letter in "abcdefghijklmnopqrstuvwxyzabcd") + "."
MIXED = (
    "Sure. Dr. Smith is here (at last)! He said: “Come in.” Then, at 10:30 p.m., we left… It was"
    " $5.99, i.e. cheap 🎉. Two ways:\n1. Take **the early** bus from v2.3 of www.example.com.\n2."
    " Walk 👩‍👩‍👧 home — or 🇩🇪🇫🇷 not.\n\n# End\n- 你好，我可以帮你查一下。"
    "好！はい、わかりました。「ええ。」と言った。"
    " สวัสดีครับ ผมชื่อสมชาย Quoi ? ¿Sí? e\u0301te\u0301… ok \U0001f44d\U0001f3fd"
)


class Said(NamedTuple):
    at: float
    text: str


def drain(sentences: Chunker, now: float, slack: float) -> list[str]:
    return list(iter(lambda: sentences.take(now, slack), None))


def cut(text: str, slack: float) -> list[str]:
    """All chunks of a text that is complete, the first one included, at one slack."""
    sentences = Sentences()
    sentences.push(text, 0.0)
    sentences.flush()
    return drain(sentences, 1.0, slack)


def listen(text: str, *, rate: float, ttfb: float = 0.15, pace: float = 2.7) -> Iterator[Said]:
    """Chunks and when they go, `rate` words a second arriving, spoken at `pace` words a second.

    A chunk's sound begins `ttfb` seconds after it goes; what is yielded is never late by a timer.
    """
    sentences = Sentences()
    arrivals = [(i / rate, word) for i, word in enumerate(_leading(text))]
    now, ends = 0.0, None
    while arrivals or sentences.wait(now, 0.0) is not None:
        slack = FIRST if ends is None else ends - now - ttfb
        chunk = sentences.take(now, slack)
        if chunk is not None:
            yield Said(now, chunk)
            ends = max(now + ttfb, ends or 0.0) + len(words(chunk)) / pace
            continue

        wait = sentences.wait(now, slack)
        if arrivals and (wait is None or arrivals[0][0] <= now + wait):
            now = arrivals[0][0]
            sentences.push(arrivals.pop(0)[1], now)
            if not arrivals:
                sentences.flush()
        elif wait is not None:
            now += wait


def _leading(text: str) -> list[str]:
    first, *others = text.split(" ")
    return [first, *(f" {other}" for other in others)]


def silences(said: list[Said], ttfb: float = 0.15, pace: float = 2.7) -> list[float]:
    """Seconds of silence before each chunk but the first."""
    gaps: list[float] = []
    ends = said[0].at + ttfb + len(words(said[0].text)) / pace
    for one in said[1:]:
        begins = max(one.at + ttfb, ends)
        gaps.append(begins - ends)
        ends = begins + len(words(one.text)) / pace

    return gaps


def test_a_short_first_sentence_goes_at_its_end_and_a_short_hold() -> None:
    said = list(listen("Sure. " + OFFICE, rate=60))

    assert said[0] == (HOLD, "Sure.")
    assert HOLD < 0.005


@pytest.mark.parametrize("rest", [OFFICE, BARE])
@pytest.mark.parametrize("rate", [20, 60, 200, 2000])
def test_no_silence_follows_a_short_first_sentence(rest: str, rate: float) -> None:
    said = list(listen("Sure. " + rest, rate=rate))

    assert silences(said) == pytest.approx([0.0] * (len(said) - 1), abs=1e-9)


def test_a_long_first_sentence_is_begun_before_a_preposition() -> None:
    said = next(listen(PARCEL, rate=60))

    assert said.text == "Your order number four five nine left our warehouse this morning "
    assert said.at <= 12 / 60


def test_a_long_first_sentence_without_any_mark_is_begun_by_its_fourteenth_word() -> None:
    assert next(listen(BARE, rate=60)).at <= 13 / 60


def test_a_clause_of_one_word_is_no_first_chunk_and_a_longer_one_is() -> None:
    assert cut("Well, I would think about it once more, but that is up to you.", FIRST)[0] == (
        "Well, I would think about it once more, "
    )
    assert cut("If you ask me, nobody should ever have to go through that again.", FIRST)[0] == (
        "If you ask me, "
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            "当然可以，我们的办公室在二楼，工作日从早上九点开到下午五点半。",
            "当然可以，我们的办公室在二楼，",
        ),
        ("明日の天気は晴れで、気温は二十五度まで上がるでしょう。", "明日の天気は晴れで、"),
        (
            "สวัสดีครับ ผมชื่อสมชาย วันนี้อากาศดีมาก คุณอยากไปเที่ยวไหม",
            "สวัสดีครับ ผมชื่อสมชาย ",
        ),
    ],
)
def test_scripts_without_spaces_begin_with_a_clause(text: str, first: str) -> None:
    assert cut(text, FIRST)[0] == first


def test_chinese_without_marks_is_begun_before_a_connective() -> None:
    assert (
        cut("我们今天下午三点在会议室开会因为老板明天要去上海出差三天", FIRST)[0]
        == "我们今天下午三点在会议室开会"
    )


def test_chunks_shrink_as_sound_runs_out() -> None:
    text = f"{PARCEL} Is there anything else? {OFFICE}"
    sizes = [len(cut(text, slack)[0]) for slack in (8.0, 3.0, 0.9, 0.3, -2.0)]

    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_short_sentences_go_together_while_much_is_queued() -> None:
    text = "I am here. You are there. We are fine. They are not. Who knows? I do not. " * 10
    chunks = cut(text, 8.0)

    assert all(80 <= len(chunk) <= 400 for chunk in chunks[:-1])
    assert all(chunk.rstrip().endswith((".", "?")) for chunk in chunks)


def test_a_sentence_longer_than_any_chunk_is_cut_at_its_best_place() -> None:
    half = "word " * 45
    chunks = cut(f"{half}before, {half}after, {half}end.", 8.0)

    assert [chunk.split()[-1] for chunk in chunks] == ["before,", "after,", "end."]


def test_nothing_goes_before_its_time_and_all_goes_after_a_flush() -> None:
    sentences = Sentences()
    sentences.push("And this is", 0.0)

    assert sentences.take(10.0, 5.0) is None
    sentences.flush()
    assert drain(sentences, 10.0, 5.0) == ["And this is"]
    assert sentences.take(10.0, FIRST) is None
    assert sentences.wait(10.0, FIRST) is None


def test_an_ambiguous_end_waits_longer_than_a_plain_one() -> None:
    plain, ambiguous = Sentences(), Sentences()
    plain.push("That is it.", 5.0)
    ambiguous.push("The price is 3.", 5.0)

    assert plain.wait(5.0, FIRST) == HOLD
    assert ambiguous.wait(5.0, FIRST) == LONG_HOLD
    ambiguous.push("50 a piece", 5.1)
    assert ambiguous.take(5.0 + LONG_HOLD, FIRST) is None


def test_an_emoji_stays_with_the_sentence_before_it() -> None:
    assert (
        cut("That is great! 🎉 Your parcel came this very morning.", FIRST)[0]
        == "That is great! 🎉 "
    )


def test_a_chunk_never_reaches_over_a_flush() -> None:
    sentences = Sentences()
    sentences.push("One", 0.0)
    sentences.flush()
    sentences.push(" two", 0.0)
    sentences.flush()

    assert drain(sentences, 0.0, 9.0) == ["One", " two"]


def test_what_cannot_be_spoken_joins_its_neighbour() -> None:
    assert cut("Good. \n🎉\n", FIRST) == ["Good. \n🎉\n"]
    assert cut("🎉\n\n— Good.", FIRST) == ["🎉\n\n— Good."]
    assert cut("…!", FIRST) == ["…!"]


def test_text_between_two_flushes_that_cannot_be_spoken_goes_with_the_next() -> None:
    sentences = Sentences()
    sentences.push("🎉", 0.0)
    sentences.flush()
    sentences.push("Good.", 0.0)
    sentences.flush()

    assert drain(sentences, 0.0, FIRST) == ["🎉Good."]


def test_white_space_is_at_the_end_of_a_chunk_when_it_came_in_time() -> None:
    assert not [c for c in cut(MIXED, FIRST) if c[0].isspace()]


@pytest.mark.parametrize("slack", [FIRST, *(row[0] for row in LADDER), 0.05])
@pytest.mark.parametrize("taking_between", [False, True])
def test_tokens_make_no_difference_when_they_come_at_once(
    slack: float, taking_between: bool
) -> None:
    expected = cut(MIXED, slack)
    for seed in range(25):
        source = random.Random(seed)
        sentences, chunks, rest = Sentences(), list[str](), MIXED
        while rest:
            size = source.choice([1, 1, 2, 3, 5, 8, 40])
            sentences.push(rest[:size], 1.0)
            rest = rest[size:]
            if taking_between:
                chunks += drain(sentences, 1.0, slack)

        sentences.flush()
        assert chunks + drain(sentences, 1.0, slack) == expected


def test_nothing_is_lost_or_torn_and_wait_keeps_its_word_in_any_rhythm() -> None:
    for seed in range(150):
        source = random.Random(seed)
        pieces = source.sample(MIXED.split(" "), k=30)
        text = " ".join(pieces)
        said = list(listen(text, rate=source.choice([3, 10, 60, 400]), pace=source.choice([2, 5])))

        assert "".join(one.text for one in said) == text
        assert all(speakable(one.text) for one in said[:-1])
        at = 0
        for one in said[:-1]:
            at += len(one.text)
            assert not joined(text, at)


@pytest.mark.parametrize("slack", [FIRST, 6.0, 1.5, 0.3, 0.0, -3.0])
def test_wait_says_the_first_moment_at_which_something_goes(slack: float) -> None:
    for length in range(1, len(MIXED), 7):
        sentences = Sentences()
        sentences.push(MIXED[:length], 0.0)
        drain(sentences, 0.0, slack)
        wait = sentences.wait(0.0, slack)
        if wait is None:
            assert sentences.take(1e6, slack if slack == FIRST else slack - 1e6) is None
        else:
            assert wait > 0
            assert sentences.take(wait * 0.99, slack - wait * 0.99) is None
            assert sentences.take(wait, slack - wait)


@pytest.mark.parametrize("wall", ["a", "7", "é", "🎉x", "e\u0301", "**(", "你", "ก"])
def test_a_wall_of_text_is_cut_into_bounded_chunks(wall: str) -> None:
    chunks = cut(wall * (10_000 // len(wall)), 8.0)

    assert max(len(chunk) for chunk in chunks[:-1] or ["x"]) <= LONGEST * 13


@pytest.mark.parametrize("word", ["a", "ab. ", "\u0301", "你好。"])
def test_work_grows_with_the_text_and_not_with_its_square(word: str) -> None:
    def calls(count: int) -> int:
        made = 0

        def count_call(frame: object, event: str, argument: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        sentences = Sentences()
        sys.setprofile(count_call)
        try:
            for moment in range(count):
                sentences.push(word, moment / 60)
                sentences.take(moment / 60, 5.0)
                sentences.wait(moment / 60, 5.0)
        finally:
            sys.setprofile(None)

        return made

    assert calls(4000) < 2.4 * calls(2000)


def test_a_book_that_comes_at_once_is_judged_a_page_at_a_time() -> None:
    book = "It was so, and it was not so. " * 3000
    breaks = Breaks()
    breaks.feed(book)
    breaks.close()
    read = ""
    while breaks.text:
        breaks.settle()
        assert breaks.settled[-1].size - breaks.size <= FAR + 1.0
        read += breaks.take(breaks.settled[-1].end)
    assert read == book
