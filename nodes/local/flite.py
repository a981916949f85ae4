"""Debian's flite by ctypes: a statistical voice that is less robotic than espeak, English only.

The library calls back with sound as it is made, and by then its utterance already holds every
word's time. Its state is not known to be safe to share: one lock here, and `tts.py` keeps one
thread for it.
"""

from __future__ import annotations

import ctypes as c
import functools
import os
import threading
import unicodedata
from typing import TYPE_CHECKING, Any

from antiphon.nodes.local.script import Listener, Mark, Script
from antiphon.pipeline.errors import NodeError, NodeUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

QUALITY = "flite: clear but flat and synthetic, American English only"
COMMAND = "apt-get install libflite1"
VOICES = {"rms": 16000, "slt": 16000, "awb": 16000, "kal16": 16000, "kal": 8000}
"""The voices of Debian's package, and their sample rates in Hz."""

_LEAD = 0.02
"""Seconds kept of the silence before the first word: flite makes up to 0.2, all of it latency."""
_BLOCK = 0.4
"""Seconds of sound in a callback, once it has grown: fewer calls are fewer waits for the GIL."""
_STOP, _GO_ON = -1, 0
_FIRST_START = b"R:Token.daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_LAST_END = b"R:Token.daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
_ASCII = {
    "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "–": "-", "—": ",", "+": " plus ",
    "°": " degrees ", "×": " times ", "÷": " over ", "€": " euro ", "£": " pounds ",
}  # fmt: skip


class _Wave(c.Structure):
    _fields_ = (
        ("type", c.c_char_p),
        ("sample_rate", c.c_int),
        ("num_samples", c.c_int),
        ("num_channels", c.c_int),
        ("samples", c.c_void_p),
    )


class _Streaming(c.Structure):
    pass


_Callback = c.CFUNCTYPE(c.c_int, c.POINTER(_Wave), c.c_int, c.c_int, c.c_int, c.POINTER(_Streaming))
_Streaming._fields_ = (
    ("min_buffsize", c.c_int),
    ("asc", _Callback),
    ("utt", c.c_void_p),
    ("item", c.c_void_p),
    ("userdata", c.c_void_p),
)


class _Voice(c.Structure):
    _fields_ = (("name", c.c_char_p), ("features", c.c_void_p))


_POINTER, _TEXT = c.c_void_p, c.c_char_p
_SIGNATURES: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("new_audio_streaming_info", c.POINTER(_Streaming), ()),
    ("audio_streaming_info_val", _POINTER, (c.POINTER(_Streaming),)),
    ("flite_feat_set", None, (_POINTER, _TEXT, _POINTER)),
    ("flite_feat_set_float", None, (_POINTER, _TEXT, c.c_float)),
    ("flite_synth_text", _POINTER, (_TEXT, _POINTER)),
    ("delete_utterance", None, (_POINTER,)),
    ("utt_relation", _POINTER, (_POINTER, _TEXT)),
    ("relation_head", _POINTER, (_POINTER,)),
    ("item_next", _POINTER, (_POINTER,)),
    ("flite_ffeature_string", _TEXT, (_POINTER, _TEXT)),
    ("flite_ffeature_float", c.c_float, (_POINTER, _TEXT)),
)


def available(voice: str = "rms") -> None:
    """Raise NodeUnavailable, naming the command, when flite or this voice is not installed.

    A voice that flite never had is a UsageError.
    """
    if voice not in VOICES:
        raise UsageError(f"flite has no voice {voice!r}; its voices are {', '.join(VOICES)}")

    try:
        _library()
        _voice_library(voice)
    except OSError as error:
        raise NodeUnavailable(f"flite is not installed ({error}); run: {COMMAND}") from error


def spell(word: str) -> str:
    """A word in the ASCII that flite reads; "" for one in another script."""
    plain = "".join(_ASCII.get(letter, letter) for letter in word)
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return " ".join(letters.split())


class Flite:
    """The library and its voices, one utterance at a time. Mutable: the utterance being said."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library = _library()
        self._library.flite_init()
        self._voices: dict[str, c.c_void_p] = {}
        self._streaming = self._library.new_audio_streaming_info()
        self._streaming.contents.asc = self._callback = _Callback(self._on_sound)
        self._stream_value = self._library.audio_streaming_info_val(self._streaming)
        self._saying: _Saying | None = None

    def say(self, script: Script, voice: str, speed: float, listener: Listener) -> None:
        """Speak to `listener` to the end, or until it has heard enough. Blocks its thread."""
        with self._lock:
            pointer = self._select(voice, speed)
            saying = self._saying = _Saying(self._library, script, listener, VOICES[voice])
            _seed()
            utterance = self._library.flite_synth_text(script.spoken.encode("ascii"), pointer)
            self._library.delete_utterance(utterance)
            self._saying = None

        if saying.error is not None:
            raise NodeError("flite failed in the middle of a text") from saying.error

    def _select(self, voice: str, speed: float) -> c.c_void_p:
        pointer = self._voices.get(voice) or self._register(voice)
        self._library.flite_feat_set_float(_features(pointer), b"duration_stretch", 1.0 / speed)
        self._streaming.contents.min_buffsize = 1
        return pointer

    def _register(self, voice: str) -> c.c_void_p:
        register = _voice_library(voice)[f"register_cmu_us_{voice}"]
        register.restype, register.argtypes = c.c_void_p, (c.c_char_p,)
        pointer = self._voices[voice] = c.c_void_p(register(None))
        # Once only: setting it again would free it while the library still uses it.
        self._library.flite_feat_set(_features(pointer), b"streaming_info", self._stream_value)
        return pointer

    def _on_sound(
        self, wave: c._Pointer[_Wave], start: int, size: int, _: int, info: c._Pointer[_Streaming]
    ) -> int:
        saying = self._saying
        if saying is None:
            return _STOP

        try:
            return saying.take(wave.contents.samples, start, size, info.contents)
        except Exception as error:
            # An exception cannot cross the C code: it is raised again when that has returned.
            saying.error = error
            return _STOP


@functools.cache
def engine() -> Flite:
    """The library's voices are global, so this is the one of its kind in the process."""
    return Flite()


class _Saying:
    """One utterance on its way out. Mutable: whether its words are told, the error if any."""

    def __init__(self, library: c.CDLL, script: Script, listener: Listener, rate: int) -> None:
        self.error: Exception | None = None
        self._library = library
        self._script = script
        self._listener = listener
        self._rate = rate
        self._lead: int | None = None

    def take(self, samples: int, start: int, size: int, info: _Streaming) -> int:
        if self._lead is None:
            self._lead = self._tell_words(info.utt)
            # The next call comes with the first 40 ms of sound, the later ones with more and more.
            info.min_buffsize = max(1, self._lead + self._rate // 25 - start - size)
        else:
            info.min_buffsize = min(2 * info.min_buffsize, int(self._rate * _BLOCK))

        skipped = min(size, max(0, self._lead - start))
        if skipped == size:
            return _GO_ON

        pcm = c.string_at(samples + 2 * (start + skipped), 2 * (size - skipped))
        return _GO_ON if self._listener.hear(pcm) else _STOP

    def _tell_words(self, utterance: int) -> int:
        """Tell the listener the words' times; answer how many samples come before them."""
        words = list(self._words(utterance))
        lead = int(max(0.0, words[0].start - _LEAD) * self._rate) if words else 0
        gone = lead / self._rate
        self._listener.begin([Mark(w.piece, w.start - gone, w.end - gone) for w in words])
        return lead

    def _words(self, utterance: int) -> Iterator[Mark]:
        """Each written piece from flite's tokens: one that follows a space begins a new group."""
        lib, groups, group, end = self._library, self._script.groups(), -1, 0.0
        times: dict[int, Mark] = {}
        token = lib.relation_head(lib.utt_relation(utterance, b"Token"))

        while token:
            if group < 0 or lib.flite_ffeature_string(token, b"whitespace"):
                group = min(group + 1, len(groups) - 1)

            start = max(end, lib.flite_ffeature_float(token, _FIRST_START))
            last = lib.flite_ffeature_float(token, _LAST_END)
            # A token without sound, a dash or a lone stop, says 0.
            if last > start:
                piece, end = groups[group], last
                times[piece] = Mark(piece, times.get(piece, Mark(piece, start, 0)).start, end)
            token = lib.item_next(token)

        yield from times.values()


def _features(voice: c.c_void_p) -> int:
    features: int = c.cast(voice, c.POINTER(_Voice)).contents.features
    return features


@functools.cache
def _library() -> c.CDLL:
    for name in ("libflite.so.1", "libflite_usenglish.so.1", "libflite_cmulex.so.1"):
        c.CDLL(name)

    library = c.CDLL("libflite.so.1")
    for name, result, arguments in _SIGNATURES:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments

    return library


@functools.cache
def _voice_library(voice: str) -> c.CDLL:
    return c.CDLL(f"libflite_cmu_us_{voice}.so.1")


def _seed() -> None:
    """Start the C library's noise anew, so that the same text gives the same samples."""
    if os.name == "posix":
        c.CDLL(None).srand(1)
