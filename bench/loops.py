"""How long the built-in engines hold the event loop: CPU time of each of its callbacks.

Wall time would measure the machine's other work. The loop's thread is charged for what it does
itself; what the engines do in threads of their own is called by `ctypes.CDLL`, which lets go of
the interpreter, so that it is not the loop's whatever it takes.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import antiphon
from antiphon.nodes.callers import RecordedCaller
from antiphon.nodes.outputs import Paced
from antiphon.nodes.wav import open_wav

CALLER = Path(__file__).parents[1] / "samples" / "callers" / "interrupts.wav"


class Timed(asyncio.SelectorEventLoop):
    """A loop that notes the CPU seconds of each callback.

    Mutable state: whether it notes, and what.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []
        self.noting = False

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        return super().call_soon(self._timed, callback, args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        return super().call_at(when, self._timed, callback, args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        return super().call_soon_threadsafe(self._timed, callback, args, context=context)

    def _timed(self, callback: Any, args: tuple[Any, ...]) -> None:
        began = time.thread_time()
        try:
            callback(*args)
        finally:
            if self.noting:
                self.found.append(time.thread_time() - began)


async def converse(sessions: int, seconds: float) -> None:
    """Hold conversations with the built-in engines, all at once, in real time."""
    held = [_session() for _ in range(sessions)]
    for session in held:
        await session.start(antiphon.Agent(instructions="Be brief."))
    await asyncio.sleep(2.0)  # engines load once; a call begins with them there
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Timed)
    loop.noting = True
    for session in held:
        caller = RecordedCaller()
        caller.play(open_wav(CALLER))
        session.input.audio = caller
    await asyncio.sleep(seconds)
    loop.noting = False
    for session in held:
        await session.aclose()


def _session() -> antiphon.AgentSession[None]:
    session: antiphon.AgentSession[None] = antiphon.AgentSession(
        stt="local/pocketsphinx", llm="local/brain", tts="local/auto"
    )
    session.output.audio = Paced(rate=16_000)
    return session


def callbacks(sessions: int, seconds: float) -> list[float]:
    """CPU milliseconds of each callback, in order of length."""
    with asyncio.Runner(loop_factory=Timed) as runner:
        runner.run(converse(sessions, seconds))
        loop = runner.get_loop()
        assert isinstance(loop, Timed)
        return sorted(1000 * found for found in loop.found)
