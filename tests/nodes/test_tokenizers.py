"""LiveKit's sentence tokenizers in the place of our chunker."""

from __future__ import annotations

import math

import pytest
from livekit.agents import tokenize

from antiphon.nodes.tokenizers import Tokenized

TEXT = "Hello there, my friend. How are you doing on this fine day? I am very well, thank you."


def chunks(tokenized: Tokenized, pieces: list[str]) -> list[str]:
    found: list[str] = []
    for piece in pieces:
        tokenized.push(piece, 0.0)
        while (chunk := tokenized.take(0.0, -math.inf)) is not None:
            found.append(chunk)
    tokenized.flush()
    while (chunk := tokenized.take(0.0, -math.inf)) is not None:
        found.append(chunk)
    return found


@pytest.mark.parametrize("retain_format", [True, False])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_livekit_tokenizer_decides_where_the_chunks_end(size: int, retain_format: bool) -> None:
    tokenizer = tokenize.blingfire.SentenceTokenizer(retain_format=retain_format)
    pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]

    found = chunks(Tokenized(tokenizer), pieces)

    assert "".join(found) == TEXT
    assert [chunk.strip() for chunk in found] == [
        "Hello there, my friend.",
        "How are you doing on this fine day?",
        "I am very well, thank you.",
    ]


def test_nothing_is_taken_of_nothing() -> None:
    assert chunks(Tokenized(tokenize.basic.SentenceTokenizer()), ["", ""]) == []
