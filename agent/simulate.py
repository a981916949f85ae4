"""Conversations as tests: a scripted caller speaks audio turns to any agent, in virtual time.

    from antiphon.simulate import coughs, says, simulate

    def test_the_agent_asks_again_when_the_caller_coughs():
        call = simulate(Host(), [coughs()], transcription_timeout=2.5)
        assert call.said("agent") == ["Sorry, could you say that again?"]

A script is a list of acts, played one after the other: `says` (with `hesitates` between its texts)
and `coughs` come when the agent has finished, as with a polite caller; `interrupts` and `hums` come
while it speaks, at a word or after some seconds; `pauses`, `listens`, `leaves` and `does` at once.
Most of them can come at a word with `word=`, so many seconds into the agent's speech with `into=`,
or at a second of the call with `at=`. All times are seconds.

Models are scripted unless you say otherwise: `stt`, `llm`, `tts` and `vad` each take a model, a
model string, or `OWN`, the model that the agent or the session names; scripted models that they
name already are kept, and nodes that the agent overrides run as they are. `llm` also takes a list
of replies (texts, or `calls("tool", argument=…)`) or a function from the chat context to a reply.
The timing of the scripted ones is exact: see `ScriptedSTT`, `ScriptedLLM`, `ScriptedTTS` and
`ScriptedVAD`. Where detector or recogniser are not scripted, the caller speaks aloud.

`simulate` runs on a virtual clock of its own. In an `async def` test use `calling`:

    async with calling(Host(), llm=["For how many?"]) as call:
        await call.play(says("A table, please"), listens())
        assert call.said("agent") == ["For how many?"]

There the time is the running loop's: `antiphon.pipeline.clock.VirtualTimeLoop` is a loop factory,
for pytest-asyncio in a `pytest_asyncio_loop_factories` hook; on an ordinary loop a call takes as
long as it lasts, and models may use the network. `session=` is for a session of your own, not yet
started.

The call tells what came of it: `lines` (who, text as heard, start, end, interrupted), `said`,
`states`, `tools`, `messages`, `errors`, `events`, the `timeline`; `print(call)` shows the lines.
When it ends, the laws are checked: nothing is heard after a cut, history has the words that were
heard, no word of the user is lost, every tool call is answered, nothing fails and nothing is left
behind; a broken one raises `LawBroken`. A script that cannot be played (a word that never came, an
agent that never finishes) raises `ScriptError`, with what was said instead.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.agents import NOT_GIVEN, NotGivenOr

from antiphon.agent import Agent
from antiphon.nodes import models
from antiphon.pipeline import clock
from antiphon.pipeline.errors import UsageError
from antiphon.record import Line
from antiphon.session import AgentSession
from antiphon.simulated_acts import (
    Act,
    checked,
    coughs,
    does,
    hesitates,
    hums,
    interrupts,
    leaves,
    listens,
    pauses,
    says,
)
from antiphon.simulated_call import Call
from antiphon.simulated_caller import Caller, Ears, ScriptedSTT, ScriptedVAD
from antiphon.simulated_laws import LawBroken, broken
from antiphon.simulated_models import (
    Answers,
    Calls,
    ScriptedLLM,
    ScriptedTTS,
    ScriptError,
    Voice,
    calls,
)
from antiphon.simulated_moments import PATIENCE
from antiphon.simulated_notes import State, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from livekit.agents import llm as llms
    from livekit.agents import stt as stts
    from livekit.agents import tts as ttss
    from livekit.agents import vad as vads

__all__ = [
    "OWN",
    "Act",
    "Call",
    "Caller",
    "Calls",
    "Ears",
    "LawBroken",
    "Line",
    "Own",
    "ScriptError",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "ScriptedVAD",
    "State",
    "ToolCall",
    "Voice",
    "calling",
    "calls",
    "coughs",
    "does",
    "hesitates",
    "hums",
    "interrupts",
    "leaves",
    "listens",
    "pauses",
    "says",
    "simulate",
]


class Own(Enum):
    """The model that the agent or the session names."""

    OWN = "own"


OWN: Final = Own.OWN

SCRIPTED: Final[dict[str, type]] = {
    "stt": ScriptedSTT,
    "llm": ScriptedLLM,
    "tts": ScriptedTTS,
    "vad": ScriptedVAD,
}


def simulate(
    agent: Agent,
    script: Iterable[Act] | Act,
    *,
    stt: NotGivenOr[stts.STT[Any] | str | Own] = NOT_GIVEN,
    llm: NotGivenOr[llms.LLM[Any] | str | Own | Answers] = NOT_GIVEN,
    tts: NotGivenOr[ttss.TTS[Any] | str | Own] = NOT_GIVEN,
    vad: NotGivenOr[vads.VAD | str | Own] = NOT_GIVEN,
    session: AgentSession[Any] | None = None,
    voice: ttss.TTS[Any] | str = "local/auto",
    patience: float = PATIENCE,
    allow_errors: bool = False,
    **options: Any,
) -> Call:
    """Hold a conversation on a virtual clock of its own, to its end, and return it.

    The caller hangs up when the script is over and the agent has finished, at the latest `patience`
    seconds later. `voice` is the caller's, where words must be recognised. With `allow_errors`,
    models, nodes and hooks may fail; else that is a `LawBroken`. `options` are those of
    `AgentSession`, when no `session` is given. Make a new agent for each call: it remembers.
    """
    if _looping():
        raise UsageError(
            "simulate() runs a loop of its own; in an async test write "
            "`async with calling(agent, …) as call: await call.play(…)`"
        )
    acts = checked([script] if isinstance(script, Act) else script)
    slots: dict[str, Any] = {"stt": stt, "llm": llm, "tts": tts, "vad": vad}
    common: dict[str, Any] = {"session": session, "voice": voice, "patience": patience}

    async def whole() -> Call:
        calls = calling(agent, allow_errors=allow_errors, **slots, **common, **options)
        async with calls as call:
            await call.play(*acts)
            await call.finish()
        return call

    return clock.run(whole(), strict=True)


def _looping() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def calling(
    agent: Agent,
    *,
    stt: NotGivenOr[stts.STT[Any] | str | Own] = NOT_GIVEN,
    llm: NotGivenOr[llms.LLM[Any] | str | Own | Answers] = NOT_GIVEN,
    tts: NotGivenOr[ttss.TTS[Any] | str | Own] = NOT_GIVEN,
    vad: NotGivenOr[vads.VAD | str | Own] = NOT_GIVEN,
    session: AgentSession[Any] | None = None,
    voice: ttss.TTS[Any] | str = "local/auto",
    patience: float = PATIENCE,
    allow_errors: bool = False,
    **options: Any,
) -> AsyncGenerator[Call, None]:
    """A call on the running loop: play it with `await call.play(says(…), listens(), …)`.

    Leaving the block hangs up and checks the laws. Arguments as in `simulate`.
    """
    if not isinstance(agent, Agent):
        raise UsageError(f"an agent is wanted, not {agent!r}: make one, as in MyAgent()")
    if session is not None and options:
        raise UsageError(f"give {', '.join(options)} to the session, which is your own")
    chosen = AgentSession(**options) if session is None else session
    slots: dict[str, Any] = {"stt": stt, "llm": llm, "tts": tts, "vad": vad}
    found = stand_ins(slots, agent, chosen)
    call = Call(patience=patience)
    aloud, worded = _heard(found, agent, chosen)
    mouth = models.TTS.loaded(voice) if worded else None
    await call.begin(agent, chosen, found, aloud=aloud, mouth=mouth)
    try:
        yield call
    finally:
        await call.end()
    if laws := list(broken(call, errors=allow_errors)):
        raise LawBroken("\n".join([*laws, "What was said:", str(call)]))


def stand_ins(
    given: Mapping[str, Any], agent: Agent, session: AgentSession[Any]
) -> dict[str, object]:
    """The models that take the place of the agent's and the session's, by slot."""
    found: dict[str, object] = {}
    for slot, wanted in given.items():
        named = getattr(agent, slot) or getattr(session, slot)
        if wanted is OWN or (wanted is NOT_GIVEN and isinstance(named, SCRIPTED[slot])):
            continue
        if wanted is NOT_GIVEN:
            found[slot] = SCRIPTED[slot]()
        elif slot == "llm" and (callable(wanted) or isinstance(wanted, list | tuple)):
            found[slot] = ScriptedLLM(cast("Answers", wanted))
        else:
            place = next(place for place in models.SLOTS if place.name == slot)
            found[slot] = place.loaded(wanted)
    return found


def _heard(
    found: Mapping[str, object], agent: Agent, session: AgentSession[Any]
) -> tuple[bool, bool]:
    """Whether somebody listens to the caller's sound, and whether to its words."""

    def used(slot: str) -> object:
        return found.get(slot, getattr(agent, slot) or getattr(session, slot))

    worded = not isinstance(used("stt"), ScriptedSTT | None)
    return worded or not isinstance(used("vad"), ScriptedVAD | None), worded
