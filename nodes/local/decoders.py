"""Decoders shared by all the voices of a process, each used by one utterance at a time.

A decoder takes 96 MB and a quarter of a second to load, and an utterance needs one only while it
lasts, so there are as many as people who spoke at once. Everything here blocks and belongs in
`Decoders.executor`; the loop waits for it by `run_in_executor` only.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.nodes.local import sphinx
from antiphon.nodes.local.threads import give_way
from antiphon.pipeline.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from antiphon.nodes.local.sphinx import Decoder, Utterance

_WORKER = Path(__file__).with_name("sphinx_worker.py")
_BYTES_PER_SECOND = 2 * sphinx.RATE


class Worker:
    """A decoder behind a pipe, for platforms whose library cannot be called directly."""

    def __init__(self) -> None:
        # -P: the folder of this file has modules with common names, and must not be searched.
        # A session of its own: Ctrl+C is for the program, which then closes this one's input.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._send(json.dumps(sphinx.options()).encode())

    def learn(self, pcm: bytes) -> str:
        return str(self._ask(b"l", pcm))

    def start(self, channel: str) -> None:
        self._ask(b"s", channel.encode())

    def feed(self, pcm: bytes) -> None:
        self._ask(b"f", pcm)

    def text(self) -> str:
        return str(self._ask(b"t", b""))

    def finish(self) -> Utterance:
        match self._ask(b"e", b""):
            case [list() as segments, str() as channel]:
                return sphinx.Utterance(sphinx.words_of(segments), channel)
        raise NodeError("the pocketsphinx process gave an answer that is none")

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()

    def _ask(self, kind: bytes, payload: bytes) -> object:
        try:
            self._send(kind + payload)
            stream = self._process.stdout
            assert stream is not None
            answer = json.loads(stream.read(int.from_bytes(stream.read(4), "little")))
        except (OSError, ValueError) as error:
            raise NodeError("the pocketsphinx process has died; it is started anew") from error
        if "error" in answer:
            raise NodeError(f"pocketsphinx could not decode this sound: {answer['error']}")
        return answer["ok"]

    def _send(self, body: bytes) -> None:
        stream = self._process.stdin
        assert stream is not None
        stream.write(len(body).to_bytes(4, "little") + body)
        stream.flush()


class Decoders:
    """The decoders of one kind, loaded when needed and kept when idle."""

    IDLE = 4  # how many are kept; more are closed when their utterance ends

    def __init__(self, load: Callable[[], Decoder]) -> None:
        self._load = load
        self._idle: list[Decoder] = []
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self.executor = ThreadPoolExecutor(
            max(2, os.cpu_count() or 2), "antiphon-pocketsphinx", initializer=give_way
        )

    def warm(self) -> None:
        """Have one decoder ready, so that the first utterance need not wait for it."""
        with self._loading:
            if not self._idle:
                self.put(self._load())

    def take(self) -> Decoder:
        """Give a decoder to one utterance; load one when none is idle."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        # One at a time: loading several at once makes each of them later.
        with self._loading:
            return self._load()

    def put(self, decoder: Decoder) -> None:
        """Take a decoder back from an utterance that has ended."""
        with self._lock:
            if len(self._idle) < self.IDLE:
                self._idle.append(decoder)
                return
        decoder.close()

    def close(self) -> None:
        """Close what is idle; more can be loaded."""
        with self._lock:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.close()


class Hearing:
    """One utterance's use of a decoder, from its first sound to its end or its abandonment.

    `channel` is what earlier utterances of this voice taught; "" means this is the first. Its
    opening then waits until there is half a second of voice in it, and is heard twice: once to
    learn the channel, which spares half of the errors of a first utterance.
    """

    OPENING = 85 * _BYTES_PER_SECOND // 100  # what precedes the voice, and half a second of it
    VOICE = _BYTES_PER_SECOND // 2
    # The decoder follows the channel from call to call: equal calls make equal words, however
    # the sound came.
    BLOCK = 40 * _BYTES_PER_SECOND // 1000

    def __init__(self, decoders: Decoders, channel: str) -> None:
        # Mutable: the decoder, once there is one; the sound it has not been given; the end.
        self._decoders = decoders
        self._channel = channel
        self._decoder: Decoder | None = None
        self._waiting = b""
        self._over = False
        self._lock = threading.Lock()

    def feed(self, pcm: bytes) -> str:
        """Hear more, and give the words so far."""
        with self._lock, self._failing():
            self._waiting += pcm
            if self._over or (self._decoder is None and len(self._waiting) < self._needed):
                return ""
            return self._hear(len(self._waiting) // self.BLOCK * self.BLOCK).text()

    def finish(self, pcm: bytes = b"") -> Utterance:
        """Hear the last of it, give the words, and give the decoder back."""
        with self._lock, self._failing():
            if self._over:
                return sphinx.Utterance((), self._channel)
            self._waiting += pcm
            heard = self._hear(len(self._waiting)).finish()
            self._give_back()
            return heard

    def abandon(self) -> None:
        """End it without an answer; waits for a call that still runs."""
        with self._lock, self._failing():
            if self._decoder is not None:
                self._decoder.finish()
                self._give_back()
            self._over = True

    @property
    def _needed(self) -> int:
        return self.BLOCK if self._channel else self.OPENING

    def _hear(self, size: int) -> Decoder:
        decoder = self._decoder or self._start()
        for at in range(0, size, self.BLOCK):
            decoder.feed(self._waiting[at : min(size, at + self.BLOCK)])
        self._waiting = self._waiting[size:]
        return decoder

    def _start(self) -> Decoder:
        decoder = self._decoder = self._decoders.take()
        if not self._channel:
            learned = decoder.learn(self._waiting[: self.OPENING][-self.VOICE :])
            self._channel = sphinx.likely(learned)
        decoder.start(self._channel)
        return decoder

    def _give_back(self) -> None:
        decoder, self._decoder, self._over = self._decoder, None, True
        assert decoder is not None
        self._decoders.put(decoder)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Close a decoder that failed: it is not fit for another voice."""
        try:
            yield
        except NodeError:
            decoder, self._decoder, self._over = self._decoder, None, True
            if decoder is not None:
                decoder.close()
            raise


@functools.cache
def shared(*, worker: bool) -> Decoders:
    """The decoders of this process: in it, or each in a process of its own."""
    decoders = Decoders(Worker if worker else sphinx.Library)
    atexit.register(decoders.close)
    return decoders
