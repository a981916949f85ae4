"""Markers that a language model writes into its text to tell the voice how to speak.

    Oh no. <expr type="expression" label="worried"/> Let me see. <expr type="sound" label="sigh"/>

They are LiveKit's (`tts.TTS.Markup` says which a voice knows, and turns them into its own). They
are in a model's text, in history and in what a `tts_node` is given; nobody hears or reads them. So
on their way through a reply each is one character of a private use area, which is part of the word
that follows it, counts as no letter, and is left out of what is shown. One that is heard for
itself, like a sigh, counts as a word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT

from antiphon.pipeline.foreign import finish
from antiphon.pipeline.words import HEARD_MARKS, MARKS, unmarked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator

    from livekit import rtc
    from livekit.agents import tts

    from antiphon.pipeline.source import Thought

# What voices know, and models write by mistake, beside `expr`.
_NAMES: Final = (
    "expr|expression|emotion|sound|break|speed|volume|spell|emphasis|prosody|whisper|soft|loud|slow"
    "|fast"
)
_TAG: Final = re.compile(rf"</?(?:{_NAMES})\b[^<>]*>")
_TAG_AND_SPACE: Final = re.compile(rf"(?P<tag>{_TAG.pattern})(?P<space>[^\S\n]*)")
_BEGUN: Final = re.compile(rf"</?(?:[a-z]{{0,10}}|(?:{_NAMES})\b[^<>]*)\Z")
_OPEN: Final = re.compile(r"<expr\b[^<>]*[^/<>]>")
_CLOSE: Final = re.compile(r"\s*</expr\s*>")
_LONGEST: Final = 400  # characters of a marker; what is longer is none


def visible(text: str) -> str:
    """A text without its markers, as it is read."""
    if "<" not in text:
        return text
    found = Markers(None)
    return unmarked(found.hidden(text)).strip(" ")


class Markers:
    """The markers of one reply. `voice` says which of them are heard.

    Mutable state: the markers so far, with the space after them, by the character that stands for
    each.
    """

    def __init__(self, voice: tts.TTS.Markup | None) -> None:
        self._voice = voice
        self._markers: dict[str, str] = {}

    def hidden(self, text: str) -> str:
        """A whole text with a character for each marker."""
        hiding = Hiding(self)
        return hiding.push(text) + hiding.rest()

    def told(self, text: str) -> str:
        """The text as the model wrote it."""
        if text.isascii():
            return text
        return "".join([self._markers.get(sign, sign) for sign in text])

    def stand_for(self, marker: str, space: str) -> str:
        """The character that stands for it from now on; none, when there are too many."""
        first, last = HEARD_MARKS if self._heard(marker) else MARKS
        sign = chr(ord(first) + len(self._markers))
        if sign > last:
            return ""
        self._markers[sign] = marker + space
        return sign

    def _heard(self, marker: str) -> bool:
        if self._voice is None or 'type="sound"' not in marker:
            return False
        return bool(self._voice.convert(marker).strip())

    async def hide(self, thoughts: AsyncIterable[Thought]) -> AsyncGenerator[Thought, None]:
        """A model's text as it comes, with a character for each marker."""
        hiding = Hiding(self)
        try:
            async for thought in thoughts:
                if not isinstance(thought, str):
                    if rest := hiding.rest():
                        yield rest
                    yield thought
                elif text := hiding.push(thought):
                    yield text
            if rest := hiding.rest():
                yield rest
        finally:
            await finish(thoughts)

    async def hide_text(self, texts: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        """The same of a text."""
        async for text in self.hide(texts):
            if isinstance(text, str):
                yield text

    def tell(self, texts: AsyncIterable[str]) -> Told:
        """Texts for a node, with their markers."""
        return Told(self, texts)


class Told:
    """Texts with their markers. No generator: who stops reading leaves nothing to be closed."""

    def __init__(self, markers: Markers, texts: AsyncIterable[str]) -> None:
        self._markers = markers
        self._texts: AsyncIterator[str] = aiter(texts)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        text = await anext(self._texts)
        return self._markers.told(text) if isinstance(text, str) else text


class Hiding:
    """A text in pieces. A marker waits until it is known what it stands before.

    Mutable state: the end of the text that waits, and whether what came before it ends in a space.
    """

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self._waiting = ""
        self._spaced = True

    def push(self, text: str) -> str:
        if "<" not in text and not self._waiting:
            self._spaced = text[-1].isspace() if text else self._spaced
            return text
        return self._hide(self._waiting + text, final=False)

    def rest(self) -> str:
        """What waited, as nothing more comes."""
        return self._hide(self._waiting, final=True) if self._waiting else ""

    def _hide(self, text: str, *, final: bool) -> str:
        out: list[str] = []
        at = 0
        while (found := _TAG_AND_SPACE.search(text, at)) is not None:
            self._give(text[at : found.start()], out)
            at = found.start()
            closes, last = found["tag"].startswith("</"), found.end() == len(text)
            if last and not (final or closes):
                break
            space = found["space"] if self._spaced and not (last or closes) else ""
            out.append(self._markers.stand_for(found["tag"], space))
            at = found.end() if space else found.end("tag")
        self._waiting = "" if final else self._begun(text[at:])
        self._give(text[at : len(text) - len(self._waiting)], out)
        return "".join(out)

    def _begun(self, text: str) -> str:
        """The end of a text that may become a marker, or is one whose place is not known."""
        if _TAG.match(text):
            return text
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST))
        return begun.group() if begun is not None else ""

    def _give(self, text: str, out: list[str]) -> None:
        if text := unmarked(text):
            out.append(text)
            self._spaced = text[-1].isspace()


class Lowering:
    """A model's markers as the voice's own. One that goes on to the next text is begun again there.

    Mutable state: the marker that is open, and whether one of the voice's is being timed.
    """

    def __init__(self, voice: tts.TTS.Markup) -> None:
        self._voice = voice
        self._open = ""
        self._timing = False

    def lower(self, text: str) -> str:
        if self._open and (ended := _CLOSE.match(text)) is not None:
            self._open, text = "", text[ended.end() :]
        text = self._voice.normalize(self._open + text)
        opened, closed = list(_OPEN.finditer(text)), text.rfind("</expr")
        self._open = opened[-1].group() if opened and opened[-1].start() > closed else ""
        said = text.rstrip()
        return self._voice.convert(f"{said}</expr>{text[len(said) :]}" if self._open else text)

    def leave_out(self, frame: rtc.AudioFrame) -> None:
        """Take the voice's own markers out of the words that it times: `[really` `glad]`."""
        words = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT)
        if words:
            frame.userdata[USERDATA_TIMED_TRANSCRIPT] = [w for w in words if self._said(str(w))]

    def _said(self, word: str) -> bool:
        word = word.strip()
        self._timing |= word.startswith(("[", "<"))
        said, self._timing = not self._timing, self._timing and not word.endswith(("]", ">"))
        return said
