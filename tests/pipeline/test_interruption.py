"""Which words end a reply, and which only say that somebody listens."""

import math

import pytest

from antiphon.pipeline.interruption import (
    ACKNOWLEDGEMENTS,
    PHRASES,
    counts,
    invites_answer,
    is_acknowledgement,
)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *(("mm-hmm", "en"), ("Mm-hmm.", None), ("Uh-huh!", "en"), ("Okay, okay. Right…", "en-US")),
        *(("mmmmm", "en"), ("Hmmm", "fr"), ("ahhh", None), ("Oooh", "de"), ("YEAH", "EN-gb")),
        *(("m m h m m", "en"), ("m", None), ("m m h", "en"), ("a", "en")),  # as recognisers have it
        *(("I see.", "en"), ("Okay, I see, mm-hmm.", "en"), ("yeah got it", None)),
        *(("Oh, of course", "en"), ("D'accord.", "fr"), ("ça va", "fr")),
        *(
            ("はい。", "ja"),
            ("なるほど", "ja"),
            ("好的。", "zh"),
            ("네, 네", "ko"),
            ("Sí, claro", "es"),
        ),
        *(("ja ja", "xx"), ("genau", None)),
    ],
)
def test_what_only_says_i_am_listening_ends_no_reply(text: str, language: str | None) -> None:
    assert is_acknowledgement(text, language)
    assert not counts(text, language=language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *(("stop", "en"), ("no", "en"), ("yes but", "en"), ("okay 5", "en"), ("42.", "en")),
        *(("Right, the second one", "en"), ("mum", "en"), ("I seek", "en"), ("we got it", "en")),
        *(("a moment", "en"), ("h m v", "en"), ("a", "fr"), ("m 5", None)),
        *(("is this okay", None), ("genau", "en"), ("3", "zh"), ("等一下", "zh")),
    ],
)
def test_what_says_more_counts(text: str, language: str | None) -> None:
    assert not is_acknowledgement(text, language)
    assert counts(text, language=language)


@pytest.mark.parametrize("text", ["", " ", "…", "—?!", "🎉"])
def test_what_nobody_can_say_neither_counts_nor_acknowledges(text: str) -> None:
    assert not is_acknowledgement(text)
    assert not counts(text)


def test_the_beginning_of_a_phrase_does_not_count_while_more_may_come() -> None:
    for text in ("I", "okay, I", "mm-hmm of"):
        assert not counts(text, language="en", unfinished=True)
        assert counts(text, language="en")
    assert counts("I want", language="en", unfinished=True)


def test_every_listed_word_and_phrase_is_an_acknowledgement_in_its_language_and_any_other() -> None:
    for language, known in ACKNOWLEDGEMENTS.items():
        for word in known:
            assert is_acknowledgement(word, language), (language, word)
            assert is_acknowledgement(word), word
    for phrase in PHRASES:
        assert is_acknowledgement(phrase, "en"), phrase


def test_min_words_counts_words_as_a_listener_does() -> None:
    assert not counts("please stop", 3)
    assert counts("please do stop", 3)
    assert not counts("wait — … !", 2)
    assert counts("等一下", 3, "zh")
    assert counts("stop", 0)


@pytest.mark.parametrize(
    ("said", "remaining", "invites"),
    [
        *(("Shall I?", 9.0, True), ('He asked "why?" ', 9.0, True), ("行吗？", math.inf, True)),
        *(("Shall I? I could", 9.0, False), ("", math.inf, False), ("Well.", 1.0, True)),
        *(("Well.", 1.01, False), ("", 0.0, True)),
    ],
)
def test_yes_answers_a_question_or_the_last_second(
    said: str, remaining: float, invites: bool
) -> None:
    assert invites_answer(said, remaining) is invites
