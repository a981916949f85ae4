"""Who waits where, and what a run leaves behind: tasks, generators, errors that nobody read."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import sys
import types
import weakref
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterable

_T = TypeVar("_T")


class Strays(RuntimeError):
    """A run left tasks, generators or unread errors behind; `strays` has a line for each."""

    def __init__(self, strays: list[str]) -> None:
        super().__init__("left behind:\n  " + "\n  ".join(strays))
        self.strays = strays


async def leaving_nothing(main: Coroutine[object, object, _T]) -> _T:
    """Await `main` on any loop, and raise `Strays` for what it leaves behind.

    That is: tasks still there when the instant has run out, async generators dropped or kept
    unfinished, and whatever reached the loop's exception handler (unless `main` sets its own).
    When `main` fails, its error goes on, with the strays as a note.
    """
    loop = asyncio.get_running_loop()
    leftovers = _Leftovers(loop)
    handler = loop.get_exception_handler()
    loop.set_exception_handler(leftovers.reported)
    sys.set_asyncgen_hooks(leftovers.begun, leftovers.dropped)
    try:
        result = await main
        for _ in range(10):  # what was told to end may need a few passes, but it gets no time
            await asyncio.sleep(0)
    except BaseException as error:
        if strays := leftovers.found():
            error.add_note(str(Strays(strays)))
        raise
    finally:
        sys.set_asyncgen_hooks(*leftovers.hooks)
        loop.set_exception_handler(handler)
    if strays := leftovers.found():
        raise Strays(strays)
    return result


class _Leftovers:
    """What has been left behind on `loop` since this was made."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.hooks = sys.get_asyncgen_hooks()
        self._loop = loop
        self._before = asyncio.all_tasks(loop)
        self._generators: weakref.WeakSet[AsyncGenerator[object, object]] = weakref.WeakSet()
        self._seen: list[str] = []

    def begun(self, generator: AsyncGenerator[object, object]) -> None:
        self._generators.add(generator)
        if self.hooks.firstiter is not None:
            self.hooks.firstiter(generator)

    def dropped(self, generator: AsyncGenerator[object, object]) -> None:
        self._seen.append(f"generator {where(generator)}, dropped before it was closed")
        if self.hooks.finalizer is not None:
            self.hooks.finalizer(generator)

    def reported(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        subject = context.get("task") or context.get("future") or context.get("handle")
        self._seen.append(f"{context['message']}: {context.get('exception')!r} in {subject!r}")
        loop.default_exception_handler(context)

    def found(self) -> list[str]:
        tasks = waiting(asyncio.all_tasks(self._loop) - self._before)
        alive = sorted(filter(None, map(where, self._generators)))
        return [*self._seen, *tasks, *(f"generator {each}, never closed" for each in alive)]


def waiting(tasks: Iterable[asyncio.Task[object]]) -> list[str]:
    """A line for each task: its name, and the frames in which it is suspended."""
    lines = (f"task {each.get_name()!r} waits in {where(each.get_coro())}" for each in tasks)
    return sorted(lines, key=lambda each: (len(each.split("' waits in ")[0]), each))


_STEPS = {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable"}
_SUSPENDABLE = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


def where(awaitable: object) -> str:
    """The suspended frames of `awaitable`, outermost first; empty when it has ended."""
    places = []
    while awaitable is not None:
        frame: types.FrameType | None
        inner: object
        match awaitable:
            case types.CoroutineType():
                frame, inner = awaitable.cr_frame, awaitable.cr_await
            case types.AsyncGeneratorType():
                frame, inner = awaitable.ag_frame, awaitable.ag_await
            case types.GeneratorType():
                frame, inner = awaitable.gi_frame, awaitable.gi_yieldfrom
            case _ if (
                type(awaitable).__name__ in _STEPS
            ):  # they show only the collector what is inside
                within = gc.get_referents(awaitable)
                frame, inner = None, next(filter(_suspendable, within), None)
            case _:
                break
        if frame is not None:
            places.append(f"{frame.f_code.co_qualname} ({line(frame)})")
        awaitable = inner
    return " > ".join(places)


def _suspendable(each: object) -> bool:
    return isinstance(each, _SUSPENDABLE) or type(each).__name__ in _STEPS


def line(frame: types.FrameType) -> str:
    """File and line of a frame, without the folder."""
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def function(func: object, args: tuple[object, ...]) -> str:
    """The name of what an executor runs, from under `functools.partial` and `asyncio.to_thread`."""
    while True:
        if isinstance(func, functools.partial):
            partial: functools.partial[object] = func
            func, args = partial.func, partial.args
        elif isinstance(func, types.BuiltinMethodType) and func.__name__ == "run" and args:
            func, args = args[0], args[1:]  # contextvars.Context.run
        elif isinstance(func, types.MethodType):
            func = func.__func__
        elif isinstance(func, types.FunctionType):
            code = func.__code__
            place = f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"
            return f"{func.__qualname__} ({place})"
        else:
            return repr(func)


def callback(handle: asyncio.Handle) -> str:
    """What a handle will call; the task, if it is a task's step."""
    called: object = handle._callback  # type: ignore[attr-defined]
    owner = getattr(called, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"task {owner.get_name()!r} in {where(owner.get_coro())}"
    return repr(called)
