from antiphon.nodes.local.interims import Interims


def shown(*guesses: str, apart: float = 0.04) -> list[tuple[float, str]]:
    """What is shown of guesses that come so many seconds apart, and when."""
    interims = Interims()
    news = [
        (round(n * apart, 2), interims.news(guess, n * apart)) for n, guess in enumerate(guesses)
    ]
    return [(at, text) for at, text in news if text]


def test_a_word_is_shown_when_it_has_stood_for_a_third_of_a_second() -> None:
    assert shown(*["yes"] * 12) == [(0.32, "yes")]


def test_a_guess_that_another_takes_the_place_of_is_never_shown() -> None:
    assert shown(*["you"] * 5, *["yeah"] * 8, *["yes"] * 9) == [(0.84, "yes")]


def test_words_are_shown_before_those_that_are_still_guessed_at() -> None:
    guesses = ["stop"] * 5 + ["stop why", "stop what", "stop watched", "stop what to"] * 2
    assert shown(*guesses) == [(0.32, "stop")]


def test_a_word_after_one_that_changed_is_new_in_its_place() -> None:
    assert shown(*["a b"] * 8, *["c b"] * 9) == [(0.64, "c b")]


def test_words_that_were_shown_and_do_not_stand_are_replaced_by_those_that_do() -> None:
    assert shown(*["a b"] * 9, *["a c d"] * 9) == [(0.32, "a b"), (0.44, "a"), (0.68, "a c d")]


def test_news_are_a_tenth_of_a_second_apart() -> None:
    guesses = ["a", "a b", "a b c", "a b c d", *["a b c d e"] * 12]
    assert shown(*guesses) == [(0.32, "a"), (0.44, "a b c d"), (0.56, "a b c d e")]


def test_no_guess_is_no_news() -> None:
    interims = Interims()
    assert interims.news("", 0.0) == ""
    assert not interims.begun
    interims.news("a", 0.04)
    assert interims.begun
