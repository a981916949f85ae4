"""A whole conversation on the virtual clock: a simulated caller, a scripted agent, what was heard.

It is `antiphon.simulate` at seconds of the call, with words that mean nothing: those of the agent
and of the caller are all different, so that one that is lost, doubled or out of place shows.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any

from antiphon import Agent, AgentSession, SpeechHandle, simulate
from antiphon.pipeline import clock
from antiphon.simulate import Act, Ears, ScriptedVAD, coughs, does, leaves, says
from antiphon.simulated_laws import broken, sound
from tests.scripted_agent import LETTER, RATE, Plain, Voice, sentence, stories, word

if TYPE_CHECKING:
    from antiphon.events import EventTypes

__all__ = [
    "FINAL",
    "LETTER",
    "NOTICED",
    "RATE",
    "SILENT",
    "Act",
    "Call",
    "Ears",
    "Making",
    "Plain",
    "Voice",
    "at",
    "check",
    "check_sound",
    "cough",
    "hold",
    "plain",
    "sentence",
    "stories",
    "user",
    "word",
]

NOTICED = 0.06  # seconds of voice before the detector says so
SILENT = 0.1  # seconds of silence before the detector says so
FINAL = 0.25  # seconds from the last voice to the final transcript


class Call(simulate.Call):
    """A call with what these tests ask of it besides."""

    def __init__(self, voice: Voice | None = None) -> None:
        super().__init__(voice=voice or Voice(), rate=RATE)
        self.handles: list[SpeechHandle] = []

    async def dial(self, agent: Agent, options: dict[str, Any]) -> None:
        """Begin, with the agent's models as they are."""
        detector = {} if "vad" in options else {"vad": ScriptedVAD(noticed=NOTICED, silent=SILENT)}
        session: AgentSession[Any] = AgentSession(**{"user_away_timeout": None, **options})
        await self.begin(agent, session, detector)

    def say(self, text: str | AsyncIterable[str], **options: Any) -> SpeechHandle:
        self.handles.append(self.session.say(text, **options))
        return self.handles[-1]

    def text(self, role: str) -> list[str]:
        """All words of one side, as history has them."""
        texts = [m.text_content or "" for m in self.messages if m.role == role]
        return " ".join(texts).split()


Making = Callable[[Call], Agent]


def plain(call: Call) -> Agent:
    return Plain(call.caller, call.voice)


def user(
    begin: float, end: float, text: str, *, final: float | None = FINAL, ears: Ears | None = None
) -> list[Act]:
    """The caller says `text` from `begin` to `end`; without words, it is a cough."""
    ears = ears or Ears(NOTICED, SILENT, final=final)
    if not text:
        return [coughs(end - begin, at=begin, ears=ears)]
    return [says(text, at=begin, lasts=end - begin, ears=ears)]


def cough(at: float, lasts: float = 0.3) -> list[Act]:
    """A sound without words."""
    return user(at, at + lasts, "")


def at(moment: float, do: Callable[[Call], object]) -> list[Act]:
    return [does(do, at=moment)]  # type: ignore[arg-type]  # the call is one of ours


def hold(
    *acts: list[Act],
    agent: Making = plain,
    until: float | None = None,
    call: Call | None = None,
    after: Callable[[], object] | None = None,
    **options: Any,
) -> Call:
    """Hold a conversation: carry out the acts, close the session at `until` seconds.

    Raises for a task or generator that is left behind; `after` is called a second after the close,
    and may let go of some. Without `until`, the session closes when nothing has been going on since
    the last act.
    """
    held = call or Call()
    script = [*itertools.chain(*acts), *([] if until is None else [leaves(at=until)])]
    clock.run(_hold(held, script, agent, options, after), strict=True)
    return held


async def _hold(
    call: Call,
    script: list[Act],
    agent: Making,
    options: dict[str, Any],
    after: Callable[[], object] | None,
) -> None:
    await call.dial(agent(call), options)
    try:
        await call.play(*script)
        await call.finish()
    finally:
        await call.end()
    if after is not None:
        await asyncio.sleep(1.0)
        after()
        await asyncio.sleep(1.0)


# The invariants.


def check(call: Call, *, errors: int = 0) -> None:
    """What holds of every conversation, whatever happened in it."""
    assert call.text("assistant") == call.heard  # history is what was heard, to the word
    assert call.text("user") == call.caller.words  # no word of the user is lost, none is doubled
    check_sound(call)
    failed: EventTypes = "error"
    assert len(call.reported(failed)) == errors, call.reported(failed)
    assert all(handle.done() for handle in call.handles)
    assert list(broken(call, errors=errors > 0)) == []


def check_sound(call: Call) -> None:
    """Nothing is heard out of order or twice, or after its reply was cut."""
    assert list(sound(call)) == []
