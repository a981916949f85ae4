"""Pocketsphinx without its Python interface, whose calls hold the interpreter for 100 ms and more.

`Library` calls the wheel's own shared library by ctypes, which lets other threads run; where a
platform does not export its symbols, `sphinx_worker.py` decodes in a process of its own. Both
are a `Decoder`: blocking, for one thread at a time, and without memory from one utterance to the
next, so that any voice can use any decoder.
"""

from __future__ import annotations

import ctypes as c
import functools
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from antiphon.nodes.bring import by_pip
from antiphon.pipeline.errors import NodeError, NodeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

RATE = 16_000
COMMAND = by_pip("antiphon[local]")
_FRAMES_PER_SECOND = 100
# `fwdflat` is a second pass that takes 70 ms at the end, to mend one word in a hundred.
_SETTINGS = {"fwdflat": False}


# The mean cepstrum of the speech that the model was trained on (`cmninit` in its `feat.params` of
# older releases; this one's is of another front end).
_TYPICAL = (41.00, -5.29, -0.12, 5.09, 2.48, -4.07, -1.37, -1.78, -5.08, -2.05, -6.45, -1.42, 1.17)
_COUNTS = 0.15  # what is typical, in the channel of a first utterance


@dataclass(frozen=True, slots=True)
class Word:
    """One word, and when it was said: seconds after the utterance's first sample."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was heard, and the sound of the channel it was heard through (see `Decoder.learn`)."""

    words: tuple[Word, ...]
    channel: str

    @property
    def text(self) -> str:
        """The words in lower case, without punctuation; numbers are words too."""
        return " ".join(word.text for word in self.words)


class Decoder(Protocol):
    """Turns 16-bit mono sound at 16 kHz into words; every call blocks."""

    def learn(self, pcm: bytes) -> str:
        """Tell what microphone, room and voice have in common: the mean cepstrum of `pcm`."""

    def start(self, channel: str) -> None:
        """Begin an utterance that comes through `channel`."""

    def feed(self, pcm: bytes) -> None:
        """Hear more of it."""

    def text(self) -> str:
        """Give the words so far."""

    def finish(self) -> Utterance:
        """End the utterance."""

    def close(self) -> None:
        """Free what the decoder holds; it cannot be used again."""


def likely(learned: str) -> str:
    """The channel that half a second of voice, with mean cepstrum `learned`, comes through.

    So little holds few sounds of the language; a little of what is typical spares a sixth of the
    errors in first utterances (68 to 56 of 596 words, fewer by each of flite's four voices).
    """
    means = [float(value) for value in learned.split(",")]
    blended = [
        (1 - _COUNTS) * own + _COUNTS * typical
        for own, typical in zip(means, _TYPICAL, strict=True)
    ]
    return ",".join(f"{value:.2f}" for value in blended)


def words_of(segments: Iterable[tuple[str, int, int, float]]) -> tuple[Word, ...]:
    """Keep the words among `(name, first frame, last frame, posterior)` segments.

    "<sil>" and "[NOISE]" are none, and "read(2)" is "read" said in its second way.
    """
    return tuple(
        Word(
            name.partition("(")[0],
            first / _FRAMES_PER_SECOND,
            (last + 1) / _FRAMES_PER_SECOND,
            min(1.0, posterior),
        )
        for name, first, last, posterior in segments
        if name[0] not in "<[+"
    )


def package() -> Path:
    """Find the installed pocketsphinx without importing it."""
    spec = find_spec("pocketsphinx")
    if spec is None or spec.origin is None:
        raise NodeUnavailable(f"pocketsphinx is missing: {COMMAND}")
    return Path(spec.origin).parent


def options() -> dict[str, str | bool]:
    """The settings of every decoder: the English model that the wheel brings."""
    model = package() / "model" / "en-us"
    return {
        "hmm": str(model / "en-us"),
        "lm": str(model / "en-us.lm.bin"),
        "dict": str(model / "cmudict-en-us.dict"),
        "loglevel": "FATAL",
        **_SETTINGS,
    }


# name, result, arguments
_FUNCTIONS = (
    ("err_set_loglevel_str", c.c_char_p, (c.c_char_p,)),
    ("ps_config_init", c.c_void_p, (c.c_void_p,)),
    ("ps_config_free", c.c_int, (c.c_void_p,)),
    ("ps_config_set_str", c.c_void_p, (c.c_void_p, c.c_char_p, c.c_char_p)),
    ("ps_config_set_bool", c.c_void_p, (c.c_void_p, c.c_char_p, c.c_int)),
    ("ps_init", c.c_void_p, (c.c_void_p,)),
    ("ps_free", c.c_int, (c.c_void_p,)),
    ("ps_reinit_feat", c.c_int, (c.c_void_p, c.c_void_p)),
    ("ps_start_stream", c.c_int, (c.c_void_p,)),
    ("ps_start_utt", c.c_int, (c.c_void_p,)),
    ("ps_end_utt", c.c_int, (c.c_void_p,)),
    ("ps_process_raw", c.c_int, (c.c_void_p, c.c_char_p, c.c_size_t, c.c_int, c.c_int)),
    ("ps_get_hyp", c.c_char_p, (c.c_void_p, c.c_void_p)),
    ("ps_get_cmn", c.c_char_p, (c.c_void_p, c.c_int)),
    ("ps_set_cmn", c.c_int, (c.c_void_p, c.c_char_p)),
    ("ps_get_logmath", c.c_void_p, (c.c_void_p,)),
    ("logmath_exp", c.c_double, (c.c_void_p, c.c_int)),
    ("ps_seg_iter", c.c_void_p, (c.c_void_p,)),
    ("ps_seg_next", c.c_void_p, (c.c_void_p,)),
    ("ps_seg_word", c.c_char_p, (c.c_void_p,)),
    ("ps_seg_frames", None, (c.c_void_p, c.POINTER(c.c_int), c.POINTER(c.c_int))),
    ("ps_seg_prob", c.c_int, (c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p)),
)


@functools.cache
def library() -> c.CDLL:
    """Load the wheel's library; raise NodeUnavailable where it does not export its functions."""
    for path in sorted(package().glob("_pocketsphinx*.*")):
        try:
            loaded = c.CDLL(str(path))
            for name, result, arguments in _FUNCTIONS:
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError):
            continue

        loaded.err_set_loglevel_str(b"FATAL")  # it writes pages to stderr otherwise
        return loaded
    raise NodeUnavailable("this build of pocketsphinx cannot be called by ctypes: use worker=True")


class Library:
    """A decoder in this process that leaves the interpreter free while it works."""

    def __init__(self) -> None:
        # Mutable: only the C decoder, 96 MB of it; loading takes 0.25 s.
        self._lib = library()
        config = self._lib.ps_config_init(None)
        for name, value in options().items():
            if isinstance(value, str):
                self._lib.ps_config_set_str(config, name.encode(), value.encode())
            else:
                self._lib.ps_config_set_bool(config, name.encode(), value)
        self._decoder: int | None = self._lib.ps_init(config)
        self._lib.ps_config_free(config)
        if self._decoder is None:
            raise NodeUnavailable(f"pocketsphinx could not load its model; reinstall it: {COMMAND}")

    def learn(self, pcm: bytes) -> str:
        # A new front end, because the old one would mix in the channels of other voices.
        self._check(self._lib.ps_reinit_feat(self._decoder, None))
        self._begin()
        self._process(pcm, whole=True)
        self._check(self._lib.ps_end_utt(self._decoder))
        return self._channel()

    def start(self, channel: str) -> None:
        self._check(self._lib.ps_set_cmn(self._decoder, channel.encode()))
        self._begin()

    def feed(self, pcm: bytes) -> None:
        self._process(pcm, whole=False)

    def text(self) -> str:
        text: bytes | None = self._lib.ps_get_hyp(self._decoder, None)
        return (text or b"").decode()

    def finish(self) -> Utterance:
        self._check(self._lib.ps_end_utt(self._decoder))
        return Utterance(words_of(self._segments()), self._channel())

    def close(self) -> None:
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            self._lib.ps_free(decoder)

    def _begin(self) -> None:
        # What it knows of the noise is from another voice's utterance: forget it.
        self._check(self._lib.ps_start_stream(self._decoder))
        self._check(self._lib.ps_start_utt(self._decoder))

    def _process(self, pcm: bytes, *, whole: bool) -> None:
        samples = len(pcm) // 2
        self._check(self._lib.ps_process_raw(self._decoder, pcm, samples, whole, whole))

    def _channel(self) -> str:
        means: bytes = self._lib.ps_get_cmn(self._decoder, 1)
        return means.decode()

    def _segments(self) -> list[tuple[str, int, int, float]]:
        found = []
        math = self._lib.ps_get_logmath(self._decoder)
        first, last = c.c_int(), c.c_int()
        segment = self._lib.ps_seg_iter(self._decoder)
        while segment:
            name = self._lib.ps_seg_word(segment).decode()
            self._lib.ps_seg_frames(segment, c.byref(first), c.byref(last))
            posterior = self._lib.ps_seg_prob(segment, None, None, None)
            found.append((name, first.value, last.value, self._lib.logmath_exp(math, posterior)))
            segment = self._lib.ps_seg_next(segment)
        return found

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            raise NodeError("pocketsphinx could not decode this sound")
