"""espeak-ng by ctypes: robotic, a hundred languages, sound within a millisecond.

The library is GPL-3, so it is an extra, loaded only when asked for. All its state is global to
the process and two threads in it at once crash it: one lock here, one thread in `tts.py`.
"""

from __future__ import annotations

import ctypes as c
import functools
import itertools
import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from antiphon.nodes.bring import by_pip
from antiphon.nodes.local.script import Listener, Mark, Script
from antiphon.pipeline.errors import NodeError, NodeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

QUALITY = "espeak-ng: robotic but quick and in many languages; other machines mishear most of it"
COMMAND = by_pip("antiphon[local]")
SAMPLE_RATE = 22050
"""Hz, of every voice that comes with it."""

_SYNCHRONOUS, _UTF8, _RATE_PARAMETER = 2, 1, 1
_CALLBACK = 20
"""Milliseconds of sound in a callback."""
_WORDS_A_MINUTE = 175
"""Its own default, and what `speed` 1.0 means."""
_PAUSE = 0.15
"""Seconds of silence after a text that ends in a stop: espeak ends with the last sound."""
_LIST_END, _WORD, _END = 0, 1, 5
_STOPS = frozenset(".!?:;…。！？")
_QUIET = 60
"""A sample below this, of 32768, is silence between words."""


class _Name(c.Union):
    _fields_ = (("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8))


class _Event(c.Structure):
    _fields_ = (
        ("type", c.c_int),
        ("unique_identifier", c.c_uint),
        ("text_position", c.c_int),
        ("length", c.c_int),
        ("audio_position", c.c_int),
        ("sample", c.c_int),
        ("user_data", c.c_void_p),
        ("id", _Name),
    )


_Callback = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.POINTER(_Event))


_SIGNATURES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("espeak_Initialize", (c.c_int, c.c_int, c.c_char_p, c.c_int)),
    ("espeak_SetVoiceByName", (c.c_char_p,)),
    ("espeak_SetParameter", (c.c_int, c.c_int, c.c_int)),
    ("espeak_SetSynthCallback", (_Callback,)),
    ("espeak_Synth", (c.c_char_p, c.c_size_t, *4 * (c.c_int,), c.c_void_p, c.c_void_p)),
)


def available(voice: str = "en-us") -> None:
    """Raise NodeUnavailable, naming the command, when espeak-ng is not installed."""
    try:
        _library()
    except OSError as error:
        raise NodeUnavailable(f"espeak-ng is not installed ({error}); run: {COMMAND}") from error


def spell(word: str) -> str:
    """Any script goes; a NUL would end the text early."""
    return word.replace("\0", "")


class Espeak:
    """The library, one utterance at a time. Mutable: the utterance being said."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library, data = _library()
        self._callback = _Callback(self._on_sound)
        self._saying: _Saying | None = None

        if self._library.espeak_Initialize(_SYNCHRONOUS, _CALLBACK, data, 0) != SAMPLE_RATE:
            raise NodeUnavailable(f"espeak-ng found no voice data; run: {COMMAND}")
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, script: Script, voice: str, speed: float, listener: Listener) -> None:
        """Speak to `listener` to the end, or until it has heard enough. Blocks its thread."""
        text = script.spoken.encode()

        with self._lock:
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise NodeError(
                    f"espeak-ng has no voice {voice!r}; `espeak-ng --voices` lists them"
                )
            self._library.espeak_SetParameter(_RATE_PARAMETER, int(_WORDS_A_MINUTE * speed), 0)
            saying = self._saying = _Saying(listener)
            _seed()
            code = self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None)
            self._saying = None

        if saying.error is not None or code != 0:
            raise NodeError(f"espeak-ng failed on a text (code {code})") from saying.error
        saying.deliver(script)

    def _on_sound(self, samples: int | None, count: int, events: c._Pointer[_Event]) -> int:
        saying = self._saying
        if saying is None:
            return 1

        try:
            return saying.take(samples, count, events)
        except Exception as error:
            # An exception cannot cross the C code: it is raised again when that has returned.
            saying.error = error
            return 1


@functools.cache
def engine() -> Espeak:
    """The library's state is global, so this is the one of its kind in the process."""
    return Espeak()


class _Saying:
    """One utterance's sound and word events, held until its last word's end is known.

    espeak makes a second of sound in about a millisecond, so holding them cannot be heard.
    """

    def __init__(self, listener: Listener) -> None:
        self.error: Exception | None = None
        self._listener = listener
        self._blocks: list[bytes] = []
        self._events: list[tuple[int, int, int]] = []
        self._wanted = True

    def take(self, samples: int | None, count: int, events: c._Pointer[_Event]) -> int:
        for index in itertools.count():
            event = events[index]
            if event.type == _LIST_END:
                break
            if event.type in (_WORD, _END):
                self._events.append((event.type, event.text_position - 1, event.sample))

        if samples and count > 0:
            self._blocks.append(c.string_at(samples, 2 * count))

        self._wanted = self._listener.hear(b"")
        return 0 if self._wanted else 1

    def deliver(self, script: Script) -> None:
        if not self._wanted:
            return

        sound = np.frombuffer(b"".join(self._blocks), np.int16)
        loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > _QUIET)
        if not loud.size:
            return

        lead = max(0, int(loud[0]) - SAMPLE_RATE // 100)
        self._listener.begin([*self._marks(script, loud, lead)])
        pause = int(_PAUSE * SAMPLE_RATE) if script.spoken.rstrip("\"')]")[-1:] in _STOPS else 0
        self._listener.hear(sound[lead:].tobytes() + bytes(2 * pause))

    def _marks(self, script: Script, loud: np.ndarray, lead: int) -> Iterator[Mark]:
        """Each piece from its first event to the last sound before the next piece's.

        A number or a quotation gives several events, in odd places, some of them backwards.
        """
        starts: list[tuple[int, int]] = []
        for kind, position, sample in self._events:
            piece = script.at(position) if kind == _WORD else -1
            if piece < 0 or piece > max((p for p, _ in starts), default=-1):
                starts.append((piece, sample))

        starts.append((-1, int(loud[-1]) + 1))
        for (piece, start), (_, end) in itertools.pairwise(starts):
            before_end = int(np.searchsorted(loud, end))
            last = int(loud[before_end - 1]) + 1 if before_end else 0
            if piece >= 0 and last > start:
                yield Mark(
                    piece, max(0, start - lead) / SAMPLE_RATE, max(0, last - lead) / SAMPLE_RATE
                )


@functools.cache
def _library() -> tuple[c.CDLL, bytes | None]:
    """The library and its data's folder: the wheel's, or the system's own."""
    try:
        import espeakng_loader

        library = c.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
    except ImportError:
        library, data = c.CDLL("libespeak-ng.so.1"), None

    for name, arguments in _SIGNATURES:
        getattr(library, name).argtypes = arguments

    return library, data


def _seed() -> None:
    """Start the C library's noise anew: the same requests in the same order sound the same."""
    if os.name == "posix":
        c.CDLL(None).srand(1)
