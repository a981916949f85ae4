"""The caller's side of a call at a console: recordings, lines, or somebody at the screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from antiphon.call import Ending
from antiphon.screen import Wish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from antiphon.line import Line
    from antiphon.nodes.callers import RecordedCaller
    from antiphon.nodes.microphone import Microphone
    from antiphon.screen import Screen
    from antiphon.session import AgentSession

QUIET: Final = 2.0  # seconds without anything said or to be said: all has been said
HUNG: Final = 45.0  # seconds an answer may be waited for in silence
LONGEST: Final = 300.0  # seconds the agent may go on after its caller's last word
GLANCE: Final = 0.1  # seconds between two looks at whether the agent is still at it


class Calling:
    """Mutable state: what is switched off by key, and whether somebody has written."""

    def __init__(
        self,
        session: AgentSession[Any],
        line: Line,
        screen: Screen,
        end: Callable[[Ending], None],
        *,
        caller: RecordedCaller | None,
        microphone: Microphone | None,
    ) -> None:
        self._session = session
        self._line = line
        self._screen = screen
        self._end = end
        self._caller = caller
        self._microphone = microphone
        self._on: set[Wish] = set()
        self._joined = False

    async def call(self) -> None:
        """Call, and come back when all has been said; whoever is at a microphone hangs up."""
        if self._line.lines is not None:
            await self._write(self._line.lines)
        elif self._caller is not None:
            await self._speak(self._caller)
        if self._line.lines is None and (self._caller is None or self._joined):
            await asyncio.Event().wait()

    async def fulfil(self, wish: Wish | str) -> None:
        """What somebody at the screen types or asks for."""
        if isinstance(wish, str):
            self._joined = True
            await self._type(wish)
        elif wish is Wish.INTERRUPT:
            await self._interrupt("this may not be interrupted")
        elif self._microphone is not None:
            self._on ^= {wish}
            self._microphone.muted = bool(self._on)
            self._session.output.set_audio_enabled(Wish.TEXT_ONLY not in self._on)
            self._screen.switched(wish, wish in self._on)

    async def _speak(self, caller: RecordedCaller) -> None:
        for recording in self._line.recordings:
            played = caller.play(recording)
            # A session that does not listen takes no frames: it is not waited for.
            _, waiting = await asyncio.wait([played], timeout=recording.duration + QUIET)
            if waiting:
                self._end(Ending(1, f"nobody listened to the end of {recording.path}"))
                return
            await self._answered(QUIET)

    async def _write(self, lines: Callable[[], AsyncIterator[str]]) -> None:
        if not self._line.hasty:
            await self._answered(3 * GLANCE)  # a greeting is not talked over by a script
        self._screen.invite(self._line.hasty)
        async for line in lines():
            await self._type(line)
            if not self._line.hasty:
                await self._answered(GLANCE)
        self._screen.invite(False)
        await self._answered(GLANCE)

    async def _type(self, line: str) -> None:
        """A line is a turn of the user's, once the agent is there."""
        while self._session.agent_state == "initializing":  # noqa: ASYNC110  # tools take a moment
            await asyncio.sleep(GLANCE)
        await self._interrupt("this may not be interrupted; your line comes next")
        now = asyncio.get_running_loop().time()
        self._screen.typed(line, now - self._session.timeline.start)
        self._session.generate_reply(user_input=line)

    async def _interrupt(self, otherwise: str) -> None:
        try:
            await self._session.interrupt()
        except RuntimeError:  # it does not allow interruptions
            self._screen.notice(f"  wait   {otherwise}")

    async def _answered(self, quiet: float) -> None:
        """Wait until nothing has been said, and nothing was to be said, for `quiet` seconds."""
        loop = asyncio.get_running_loop()
        began = busy = spoke = loop.time()
        while loop.time() - busy < quiet - GLANCE / 2:
            await asyncio.sleep(GLANCE)
            now = loop.time()
            busy = now if _at_it(self._session) else busy
            spoke = now if self._session.agent_state == "speaking" else spoke
            if now - spoke > HUNG or now - began > LONGEST:
                waited = now - (began if now - began > LONGEST else spoke)
                self._end(Ending(1, f"the agent was not done after {waited:.0f} s; hung up"))
                return


def _at_it(session: AgentSession[Any]) -> bool:
    """Somebody is speaking, or an answer is on its way."""
    talk = session.conversation
    return bool(
        talk.machine.unfinished
        or talk.answers.busy
        or talk.speaking.in_line()
        or session.agent_state in ("thinking", "speaking")
    )
