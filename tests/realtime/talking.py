"""A spoken conversation with a realtime model, over real sockets, through the session."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm, utils

from antiphon import Agent, AgentSession
from antiphon.options import ConnectOptions
from antiphon.simulate import LawBroken, ScriptedTTS, listens, pauses
from antiphon.simulated_call import Call
from antiphon.simulated_laws import broken
from tests.realtime.sound import OUT_RATE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from antiphon.simulate import Act
    from tests.realtime.rows import Row
    from tests.realtime.script import Made, Model

PATIENCE: Final = 20.0  # seconds that a model may take to begin its response


class Talk:
    """A call, and the model at the other end of the socket."""

    def __init__(self, call: Call, model: Model, made: llm.RealtimeModel) -> None:
        self.call = call
        self.model = model
        self.realtime = made

    @property
    def made(self) -> list[Made]:
        return self.model.made

    async def play(self, *acts: Act, responses: int = 1) -> None:
        """Play the acts, and wait until the model has made so many responses and has finished.

        The call itself does not know that a voice is being answered where nobody here detects it.
        """
        await self.begins(*acts, responses=responses)
        await self.call.play(pauses(0.5), listens(gap=1.0))

    async def begins(self, *acts: Act, responses: int = 1) -> None:
        """The same, but only until the last response has begun to be sent."""
        due = len(self.made) + responses
        await self.call.play(*acts)
        async with asyncio.timeout(PATIENCE):
            while len(self.made) < due or self.made[-1].first is None:
                self.model.news.clear()
                await self.model.news.wait()

    async def play_text(self, *acts: Act) -> None:
        """`play`, of a model that answers with text."""
        due = len(self.made) + 1
        await self.call.play(*acts)
        async with asyncio.timeout(PATIENCE):
            while len(self.made) < due:
                self.model.news.clear()
                await self.model.news.wait()
        await self.call.play(pauses(1.0), listens(gap=1.0))

    def heard_of(self, number: int) -> float:
        """Milliseconds heard of that response of the model's."""
        first: int = self.made[number].notes["first"] + 1
        after = self.made[number + 1 :]
        last = after[0].notes["first"] if after and "first" in after[0].notes else 2**15
        samples = sum(1 for value in self.call.sound if first <= value <= last)
        return samples * 1000 / OUT_RATE

    def history(self) -> list[tuple[str, str]]:
        """Messages, calls and results of the session's history, as a model lists them."""
        found: list[tuple[str, str]] = []
        for item in self.call.session.history.items:
            if item.type == "message":
                found.append((item.role, item.text_content or ""))
            elif item.type == "function_call":
                found.append(("call", item.name))
            elif item.type == "function_call_output":
                found.append(("result", item.output))
        return found


def brief() -> Agent:
    return Agent(instructions="Be brief.")


@asynccontextmanager
async def talking(
    row: Row,
    model: Model,
    *,
    agent: Agent | None = None,
    faults: bool = False,
    timed: bool = True,
    given: dict[str, Any] | None = None,
    then: tuple[Row, Model] | None = None,
    **options: Any,
) -> AsyncGenerator[Talk, None]:
    """A call with `row`'s model, made with what is `given`; its server does as `model` says.

    With `timed`, it tells when each word begins, where its protocol has a place for that. `then` is
    the one that the session goes on with when that fails. Leaving it checks every law, that the
    server has refused nothing, and that its sockets are closed.
    """
    options.setdefault("conn_options", ConnectOptions())
    async with AsyncExitStack() as stack:
        model.timed = timed
        model.voice.made += [""] * row.hush
        model.voice.lengths += [0] * row.hush
        stack.enter_context(day_of_the_loop())
        await stack.enter_async_context(utils.http_context.open())
        await stack.enter_async_context(row.serving(model))
        made = row.make(model.url, **(given or {}))
        if then is not None:
            then[1].voice, then[1].lines = model.voice, model.lines
            await stack.enter_async_context(then[0].serving(then[1]))
            made = llm.RealtimeModelFallbackAdapter([made, then[0].make(then[1].url)])
        stack.push_async_callback(made.aclose)
        of_its_own = options.pop("session", None)
        session: AgentSession[Any] = (
            of_its_own(model.url) if of_its_own else AgentSession(llm=made, **options)
        )
        voice = None if isinstance(session.tts, ScriptedTTS) else model.voice
        call = Call(voice=voice, rate=None if voice is None else OUT_RATE)
        await call.begin(agent or brief(), session, {}, aloud=True, mouth=model.lines)
        try:
            yield Talk(call, model, made)
        finally:
            await call.end()
            await asyncio.sleep(0.1)
    both = [(row, model)] if then is None else [(row, model), then]
    exact = timed and all(each.times for each, _ in both)
    _check(call, [server for _, server in both], errors=faults, exact=exact)


def _check(call: Call, models: list[Model], *, errors: bool, exact: bool) -> None:
    laws = list(broken(call, errors=errors))
    if not exact:  # then where a reply was cut is judged by its rate
        laws = [law for law in laws if not law.startswith("history has")]
    if laws:
        raise LawBroken("\n".join([*laws, "What was said:", str(call)]))
    for model in models:
        assert model.wrong == [], model.wrong
        assert all(each.closed is not None for each in model.connections)


@contextmanager
def day_of_the_loop() -> Iterator[None]:
    """The time of day goes with the loop's: plugins say by it when the user's turn began.

    It is a minute fast: a token that was made by the real one is then never of the future.
    """
    loop, real = asyncio.get_running_loop(), time.time
    began = real() - loop.time() + 60.0
    time.time = lambda: began + loop.time()
    try:
        yield
    finally:
        time.time = real
