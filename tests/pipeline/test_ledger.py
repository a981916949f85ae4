"""Which text was heard at which sample, for every way in which a voice may answer."""

import random
from itertools import pairwise

import pytest

from antiphon.pipeline.ledger import Ledger, Mark, Sound
from antiphon.pipeline.pace import Pace, unit_ends
from antiphon.pipeline.words import words

RATE = 100
CHUNKS = ("Well, hello there. ", "I have 25 apples, ", "and you? ", "Goodbye.")


def pcm(samples: int) -> memoryview:
    return memoryview(bytes(2 * samples)).cast("h")


def ledger(*texts: str, rate: int = RATE) -> Ledger:
    """A ledger that has handed out these chunks, spoken as they are written."""
    made = Ledger(rate, Pace())
    for text in texts:
        made.hand_out(text, text)
    return made


def voiced(made: Ledger, mark: Mark | None, *samples: int) -> None:
    for number in samples:
        made.add(Sound(pcm(number), mark))
    if mark is not None:
        mark.done = True


def spoken_one_by_one(*lengths: int) -> Ledger:
    """Each chunk asked for when it is handed out, with so many samples."""
    made = ledger()
    for text, length in zip(CHUNKS, lengths, strict=True):
        made.hand_out(text, text)
        voiced(made, made.mark(text), length)
    made.close()
    return made


def test_a_timed_word_is_heard_with_its_last_sample_and_not_before() -> None:
    made = ledger("One two. ", "Three")
    mark = made.mark("One two. ")
    made.add(Sound(pcm(10), mark, (("One", 0.07),)))
    made.add(Sound(pcm(20), mark, (("two.", 0.25),)))
    mark.done = True
    voiced(made, last := made.mark("Three"), 0)
    made.add(Sound(pcm(10), last, (("Three", 0.1),)))
    made.close()
    heard = [made.text_at(n) for n in range(41)]
    assert heard[:7] == [""] * 7
    assert heard[7:25] == ["One"] * 18
    assert heard[25:30] == ["One two."] * 5
    assert heard[30:40] == ["One two. "] * 10
    assert heard[40] == "One two. Three"


def test_word_times_without_marks_count_from_the_start_of_their_segment() -> None:
    made = ledger("One two ", "three")
    made.begin_segment()
    made.add(Sound(pcm(20), None, (("One", 0.1), ("two", 0.2))))
    made.begin_segment()
    made.add(Sound(pcm(10), None, (("three", 0.1),)))
    made.close()
    assert [made.text_at(n) for n in (9, 10, 19, 20, 29, 30)] == [
        *("", "One", "One", "One two", "One two", "One two three")
    ]


def test_a_time_in_seconds_that_falls_short_of_a_sample_is_that_sample() -> None:
    made = ledger("One two", rate=24_000)
    made.add(Sound(pcm(24_000), None, (("One", 0.29), ("two", 1.0))))
    assert made.text_at(6959) == ""
    assert made.text_at(6960) == "One"


def test_without_word_times_words_end_where_their_length_says() -> None:
    text = "One, two three"
    made = ledger(text)
    voiced(made, made.mark(text), 60, 40)
    made.close()
    ends = unit_ends(text, words(text))
    heard = [made.text_at(n) for n in range(101)]
    for word, end in zip(("One,", "One, two", text), ends, strict=True):
        first = heard.index(word)
        assert first - 1 < end / ends[-1] * 100 <= first + 1e-9


def test_a_digit_costs_more_than_a_letter_and_a_stop_more_than_a_comma() -> None:
    def units(text: str) -> float:
        return unit_ends(text, words(text))[-1]

    assert units("7777") > units("seven")
    assert units("a. b") > units("a, b") > units("a b") > units("ab")
    assert units("你好") > units("ab")
    assert unit_ends("…", words("…")) == []


@pytest.mark.parametrize("seed", range(200))
def test_the_text_grows_with_what_is_heard_and_ends_whole(seed: int) -> None:
    dice = random.Random(seed)
    made, marked, timed = ledger(), dice.random() < 0.7, dice.random() < 0.5
    texts = [dice.choice(CHUNKS) for _ in range(dice.randrange(1, 6))]
    for text in texts:
        made.hand_out(text, text)
        mark = made.mark(text) if marked else None
        length, begun = dice.randrange(1, 60), made.queued
        spots = [text[a:b] for a, b in words(text)]
        times = [length / RATE * (n + 1) / len(spots) for n in range(len(spots))]
        if not marked:
            times = [begun / RATE + time for time in times]
        timings = tuple(zip(spots, times, strict=True)) if timed else ()
        cut = dice.randrange(length)
        for part, its in ((cut, timings), (length - cut, ())):
            made.add(Sound(pcm(part), mark, its))
            check_growth(made)
    made.close()
    check_growth(made)
    assert made.text_at(made.queued) == "".join(texts)
    assert made.unvoiced == []


def check_growth(made: Ledger) -> None:
    whole = "".join(made.written)
    heard = [made.text_at(n) for n in range(made.queued + 2)]
    assert heard[0] == ""
    assert all(after.startswith(before) for before, after in pairwise(heard))
    assert whole.startswith(heard[-1])


def test_a_chunk_is_heard_whole_with_its_last_sample() -> None:
    made = spoken_one_by_one(30, 20, 10, 40)
    assert [made.text_at(n) for n in (30, 50, 60, 100)] == [
        "".join(CHUNKS[: n + 1]) for n in range(4)
    ]
    assert made.text_at(99) == "".join(CHUNKS[:3])
    assert made.text_at(29) == "Well, hello"


def test_a_silent_chunk_in_the_middle_is_heard_only_with_a_later_one() -> None:
    for empty in (False, True):
        made = ledger()
        for number, text in enumerate(CHUNKS[:3]):
            made.hand_out(text, text)
            mark = made.mark(text)
            if number != 1:
                voiced(made, mark, 20)
            elif empty:
                voiced(made, mark, 0)
        assert made.text_at(20) == CHUNKS[0]
        assert made.text_at(21) == CHUNKS[0]
        assert made.text_at(40) == "".join(CHUNKS[:3])
        made.close()
        assert made.unvoiced == [CHUNKS[1]]


def test_a_silent_chunk_at_the_end_was_not_heard() -> None:
    for lengths in ((), (0,)):
        made = ledger()
        for text, samples in (("One. ", (20,)), ("Two.", lengths)):
            made.hand_out(text, text)
            voiced(made, made.mark(text), *samples)
        made.close()
        assert made.text_at(20) == "One. "
        assert made.unvoiced == ["Two."]


def test_no_sound_at_all_is_nothing_heard() -> None:
    made = ledger("One.")
    made.close()
    assert made.text_at(0) == ""
    assert made.unvoiced == ["One."]


def test_a_chunk_followed_by_the_next_is_whole_though_nobody_said_so() -> None:
    made = ledger()
    for text in ("One two three. ", "Four."):
        made.hand_out(text, text)
        made.add(Sound(pcm(10), made.mark(text)))
    assert made.text_at(10) == "One two three. "


# Overrides of `tts_node`.


def test_an_override_that_rewrites_texts_one_to_one_is_paired() -> None:
    made = ledger()
    for number, text in enumerate(CHUNKS):
        made.hand_out(text, text)
        voiced(made, made.mark(text.upper() + " indeed" * number), 10)
        assert made.text_at(10 * number + 10) == "".join(CHUNKS[: number + 1])


def test_an_override_that_looks_one_item_ahead_is_paired() -> None:
    made = ledger()
    for number, text in enumerate(CHUNKS):
        made.hand_out(text, text)
        if number:
            voiced(made, made.mark(CHUNKS[number - 1]), 10)
            assert made.text_at(10 * number) == "".join(CHUNKS[:number])
    voiced(made, made.mark(CHUNKS[-1]), 10)
    made.close()
    for number in range(5):
        assert made.text_at(10 * number) == "".join(CHUNKS[:number])
    assert made.unvoiced == []


@pytest.mark.parametrize("chunks", [2, 3, 4])
def test_an_override_that_merges_items_is_measured_over_all_its_text(chunks: int) -> None:
    made = ledger()
    for number, text in enumerate(CHUNKS[:chunks]):
        made.hand_out(text, text)
        if number % 2 or number == chunks - 1:
            asked = "".join(CHUNKS[number // 2 * 2 : number + 1])
            voiced(made, made.mark(asked), 10 * len(asked))
            check_growth(made)
            assert made.text_at(made.queued).strip() == "".join(CHUNKS[: number + 1]).strip()
    made.close()
    whole = "".join(CHUNKS[:chunks])
    assert made.text_at(made.queued) == whole
    assert made.unvoiced == []
    half = made.text_at(made.queued // 2)
    assert 0.3 < len(half) / len(whole) < 0.7


@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_an_override_that_drops_an_item_is_measured_over_all_its_text(dropped: int) -> None:
    made = ledger()
    for number, text in enumerate(CHUNKS[:3]):
        made.hand_out(text, text)
        if number != dropped:
            voiced(made, made.mark(text), 10)
            check_growth(made)
    if dropped == 1:
        assert made.text_at(20) != "".join(CHUNKS[:2]), "the last mark is no sound of the second"
    made.close()
    assert made.text_at(20) == "".join(CHUNKS[:3])
    assert made.unvoiced == []


def test_an_override_that_splits_items_is_measured_over_all_its_text() -> None:
    made = ledger()
    for text in CHUNKS:
        made.hand_out(text, text)
        for part in (text[:5], text[5:]):
            voiced(made, made.mark(part), 10 * len(part))
            check_growth(made)
    made.close()
    assert made.text_at(made.queued) == "".join(CHUNKS)
    assert made.unvoiced == []


def test_an_override_that_makes_its_own_frames_is_measured_over_all_its_text() -> None:
    made = ledger(*CHUNKS)
    voiced(made, None, 150, 150)
    check_growth(made)
    made.close()
    assert made.text_at(300) == "".join(CHUNKS)
    assert 0.3 < len(made.text_at(150)) / len("".join(CHUNKS)) < 0.7


# What is shown, muted, or silent.


def test_what_transcription_node_shows_is_what_counts() -> None:
    made = ledger("one ", "two")
    for text in ("one ", "two"):
        voiced(made, made.mark(text), 10)
    made.shown = ["ONE "]
    assert made.text_at(20) == "ONE two"  # what it has not shown yet stands as written
    made.shown = ["ONE ", "TWO"]
    made.close()
    assert [made.text_at(n) for n in (0, 10, 20)] == ["", "ONE ", "ONE TWO"]


@pytest.mark.parametrize(
    ("shown", "whole", "text"),
    [
        ([], False, "one two three "),  # it hangs
        ([], True, ""),  # it keeps everything to itself
        (["ONE ", "TWO "], False, "ONE TWO three "),  # it lags
        (["ONE TWO "], False, "ONE TWO three "),  # it merges, and lags
        (["O", "N", "E ", "T", "W", "O "], False, "ONE TWO three "),  # it splits, and lags
        (["ONE TWO THREE"], True, "ONE TWO THREE"),
    ],
)
def test_what_transcription_node_has_not_shown_yet_is_shown_as_written(
    shown: list[str], whole: bool, text: str
) -> None:
    made = ledger("one ", "two ", "three ")
    for chunk in ("one ", "two ", "three "):
        voiced(made, made.mark(chunk), 10)
    made.shown, made.all_shown = shown, whole
    made.close()
    assert made.text_at(30) == text


def test_text_that_is_not_spoken_at_all_counts_as_heard() -> None:
    made = ledger("One ")
    made.append("two")
    made.mute()
    assert made.text_at(0) == "One two"
    made.close()
    assert made.unvoiced == []


def test_text_without_a_sound_of_its_own_belongs_to_the_chunk_before_it() -> None:
    made = ledger()
    made.hand_out("One.", "One.")
    made.append(" 🎉")
    voiced(made, made.mark("One."), 10)
    made.close()
    assert (made.text_at(9), made.text_at(10)) == ("", "One. 🎉")
