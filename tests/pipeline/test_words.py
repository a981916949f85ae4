"""What counts as a word, what can be spoken, and what must never be parted."""

import pytest

from antiphon.pipeline.words import breath, joined, speakable, token_at, words


def spoken(text: str) -> list[str]:
    return [text[begin:end] for begin, end in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world.", ["Hello,", "world."]),
        ("it's  3.14\n(twelve)", ["it's", "3.14", "(twelve)"]),
        ("well...maybe—yes", ["well...", "maybe—", "yes"]),
        ("the U.S. at https://a.b/c?d=e.", ["the", "U.S.", "at", "https://a.b/c?d=e."]),
        ("我用Python写。", ["我", "用", "Python", "写。"]),
        ("「はい。」と言った", ["「は", "い。」", "と", "言っ", "た"]),
        ("네, 알겠습니다.", ["네,", "알겠습니다."]),
        ("नमस्ते। आप", ["नमस्ते।", "आप"]),
        ("ผมชื่อ", ["ผ", "ม", "ชื่", "อ"]),
        ("", []),
        (" \n", []),
    ],
)
def test_words_are_what_a_listener_would_count(text: str, expected: list[str]) -> None:
    assert spoken(text) == expected


def test_dashes_and_emoji_that_stand_alone_are_no_words() -> None:
    assert spoken("yes — 🎉 no -") == ["yes", "no"]


def test_leading_vowels_of_thai_and_lao_stay_with_their_consonant() -> None:
    assert spoken("ไป") == ["ไป"]
    assert spoken("ໄປ") == ["ໄປ"]


@pytest.mark.parametrize("text", ["a", "7", "你", "ก", "$", "50 %", "→ x", "½", "٣"])
def test_letters_digits_and_signs_with_a_name_can_be_spoken(text: str) -> None:
    assert speakable(text)


@pytest.mark.parametrize(
    "text", ["", " \n", "...", "—", "🎉", "**", "()", "|---|", "_", "。", "\u200d"]
)
def test_marks_and_pictures_cannot_be_spoken(text: str) -> None:
    assert not speakable(text)


@pytest.mark.parametrize(
    "character",
    [
        "e\u0301",
        "👩‍👩‍👧",
        "👍🏽",
        "🇩🇪",
        "🏴\U000e0067\U000e0062\U000e007f",
        "\ud83d\ude00",
        "각",
        "\u1100\u1161",
        "1️⃣",
    ],
)
def test_one_character_to_a_reader_is_never_parted(character: str) -> None:
    text = f"{character}{character}"

    assert [at for at in range(len(text) + 1) if 0 < at < len(text) and not joined(text, at)] == [
        len(character)
    ]


def test_a_run_of_letters_is_cut_into_bounded_words_at_whole_characters() -> None:
    text = "e\u0301" * 1000
    found = words(text)

    assert [end for _, end in found[:-1]] == [begin for begin, _ in found[1:]]
    assert max(end - begin for begin, end in found) <= 122
    assert not any(joined(text, begin) for begin, _ in found)


def test_a_plain_word_is_found_the_same_whatever_follows_it() -> None:
    for rest in (" x", "\n\nx", "  ü", " 你", " "):
        token = token_at(" Sure." + rest, 0)

        assert token is not None
        assert (token.begin, token.end) == (1, 6)
        assert token.stop == 6 + len(rest.rstrip("xü你"))


def test_breath_of_a_word_is_a_multiple_of_a_quarter() -> None:
    assert [breath(w) for w in ("a", "internationalization", "你", "ก", "—")] == [
        1,
        1.5,
        0.5,
        0.25,
        0,
    ]
