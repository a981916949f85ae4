"""Is this a barge-in? Pure functions of the words heard and of what the agent was saying.

Sound only ever *pauses* a reply; words end it, unless they are an acknowledgement ("mm-hmm") or
fewer than the application asks for.
"""

from __future__ import annotations

import re
from typing import Final

from antiphon.pipeline.words import words

# What listeners say to mean "go on", by language. A word here must not, alone, ask for anything.
ACKNOWLEDGEMENTS: Final[dict[str, frozenset[str]]] = {
    "en": frozenset(
        "a mm mmm hm hmm hum mhm mmhm uh huh um em erm ahem uhuh uhhuh ah oh aha yeah"
        " yep yup yes ya okay ok right sure alright cool great nice good wow really"
        " interesting understood indeed".split()
    ),
    "de": frozenset("mm hm hmm mhm aha ah oh ja jaja genau okay ok gut schön klar stimmt".split()),
    "fr": frozenset("mm hm hmm mhm ah oh oui ouais okay ok bien accord voilà super".split()),
    "es": frozenset("mm hm ajá ah oh sí si ya vale okay ok claro bien bueno".split()),
    "it": frozenset("mm hm ah oh sì si già okay ok bene certo esatto".split()),
    "pt": frozenset("mm hm ah oh sim pois okay ok tá certo claro bem".split()),
    "nl": frozenset("mm hm ah oh ja okay ok goed precies juist".split()),
    "ja": frozenset("うん ええ はい そう へえ なるほど ほう".split()),
    "zh": frozenset("嗯 哦 啊 对 好 好的 是 是的 行".split()),
    "ko": frozenset("음 네 예 응 그래 그렇군요".split()),
}
# Phrases whose words one by one would not do.
PHRASES: Final = frozenset({"i see", "got it", "go on", "uh huh", "of course", "d accord", "ça va"})

END_OF_REPLY: Final = 1.0  # seconds: who speaks so late answers, and does not acknowledge

_BEGUN: Final = {" ".join(p.split()[:n]) for p in PHRASES for n in range(1, len(p.split()))}
_PHRASE = re.compile(rf"\b(?:{'|'.join(sorted(PHRASES))})\b")
# Of any length; some recognisers spell it: "m m h m m". ("a" above is what they make of "uh".)
_HUM = re.compile(r"m+h*m*|h+u?m+|u+m+|[aou]+h+")
_ANY: Final = frozenset().union(*ACKNOWLEDGEMENTS.values())
_SAID = re.compile(r"[^\W_]+")


def is_acknowledgement(text: str, language: str | None = None) -> bool:
    """True when every word only says "I am listening"; an unknown language takes all lists."""
    return bool(_SAID.search(text)) and not _telling(text, language)


def counts(
    text: str, min_words: int = 0, language: str | None = None, *, unfinished: bool = False
) -> bool:
    """True when these words may end a reply (or supersede one that is not heard yet).

    `unfinished`: more may come, so the beginning of "I see" does not count yet.
    """
    if len(words(text)) < max(1, min_words) or is_acknowledgement(text, language):
        return False
    return not (unfinished and " ".join(_telling(text, language)) in _BEGUN)


def _telling(text: str, language: str | None) -> list[str]:
    """The words that say more than "I am listening"."""
    known = ACKNOWLEDGEMENTS.get((language or "").partition("-")[0].lower(), _ANY)
    said = _SAID.findall(text.lower())
    if (joined := "".join(said)) in known or _HUM.fullmatch(joined):
        return []
    rest = _PHRASE.sub(" ", " ".join(said)).split()
    return [word for word in rest if word not in known and not _HUM.fullmatch(word)]


def invites_answer(said: str, remaining: float) -> bool:
    """True when "yes" now would be an answer: a question was just asked, or the end is near.

    `said` is what was heard of the reply so far, `remaining` the seconds of it still to come.
    """
    return remaining <= END_OF_REPLY or said.rstrip(" \"'”’)»").endswith(("?", "？", "؟"))
