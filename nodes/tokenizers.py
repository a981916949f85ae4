"""LiveKit's sentence tokenizers in the place of our own chunker.

AgentSession(tokenizer=lambda: Tokenized(tokenize.blingfire.SentenceTokenizer()), …)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.pipeline.words import speakable

if TYPE_CHECKING:
    from livekit.agents import tokenize


class Tokenized:
    """A chunker that gives one sentence at a time, each once the tokenizer sees the next begin.

    It has no regard for what is still to be heard: that is what `pipeline.sentences` is for. A
    tokenizer that returns sentences without the white space between them is put back in place, so
    that the chunks joined are the text.
    """

    def __init__(self, tokenizer: tokenize.SentenceTokenizer) -> None:
        self._tokenizer = tokenizer
        self._text = ""
        self._ready: list[str] = []
        self._ended = False

    def push(self, text: str, now: float) -> None:
        self._text += text
        self._cut()

    def flush(self) -> None:
        self._ended = True
        self._cut()

    def take(self, now: float, slack: float) -> str | None:
        return self._ready.pop(0) if self._ready else None

    def wait(self, now: float, slack: float) -> float | None:
        return None

    def _cut(self) -> None:
        """Move every sentence but the last, which may go on, to those that are ready."""
        sentences = self._tokenizer.tokenize(self._text)
        at = 0
        for sentence in sentences[:-1]:
            found = self._text.find(sentence.strip(), at)
            if found < 0:
                break
            end = found + len(sentence.strip())
            while end < len(self._text) and self._text[end].isspace():
                end += 1
            if speakable(self._text[at:end]):
                self._ready.append(self._text[at:end])
                at = end
        self._text = self._text[at:]
        if self._ended and self._text:
            self._ready.append(self._text)
            self._text = ""
