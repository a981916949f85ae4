"""A pocketsphinx decoder in a process of its own; run by path, it imports nothing of the package.

Each side writes a length (four bytes, little-endian) and that many bytes. A request is one letter
and its payload, an answer is JSON: `{"ok": ...}` or `{"error": "..."}`. The process ends when its
input does, so it never outlives the one that started it.
"""

import json
import sys
import warnings
from typing import BinaryIO


def main() -> None:
    """Answer requests on standard input until it is closed."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    # The decoder's one way to forget another voice's noise is marked as deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    session = _Session(json.loads(_read(requests) or b"{}"))
    while (request := _read(requests)) is not None:
        try:
            answer = {"ok": session.answer(request[:1], request[1:])}
        except (RuntimeError, ValueError) as error:
            answer = {"error": str(error)}
        body = json.dumps(answer).encode()
        answers.write(len(body).to_bytes(4, "little") + body)
        answers.flush()


class _Session:
    def __init__(self, options: dict[str, str | bool]) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(**options)

    def answer(self, kind: bytes, payload: bytes) -> object:
        match kind:
            case b"l":
                self._decoder.reinit_feat()
                self._begin()
                if payload:
                    self._decoder.process_raw(payload, True, True)
                self._decoder.end_utt()
                return self._decoder.get_cmn(True)
            case b"s":
                self._decoder.set_cmn(payload.decode())
                self._begin()
                return None
            case b"f":
                if payload:
                    self._decoder.process_raw(payload, False, False)
                return None
            case b"t":
                hypothesis = self._decoder.hyp()
                return hypothesis.hypstr if hypothesis else ""
            case b"e":
                self._decoder.end_utt()
                segments = [
                    (s.word, s.start_frame, s.end_frame, s.prob) for s in self._decoder.seg() or ()
                ]
                return [segments, self._decoder.get_cmn(True)]
        raise ValueError(f"no such request: {kind!r}")

    def _begin(self) -> None:
        self._decoder.start_stream()
        self._decoder.start_utt()


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    return stream.read(int.from_bytes(head, "little"))


if __name__ == "__main__":
    main()
