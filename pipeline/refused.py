"""What virtual time cannot wait for, and how it says so instead of hanging."""

from __future__ import annotations

import concurrent.futures.thread as pool
import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from antiphon.pipeline.strays import line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class Deadlock(RuntimeError):
    """Every task waits, and no timer, thread or hold is left that could wake one."""


class Livelock(RuntimeError):
    """One instant of virtual time never ends."""


class NotVirtual(RuntimeError):
    """Something was asked for that only real time can bring."""


class RealSleep(NotVirtual):
    """`time.sleep` was called on the thread of a virtual loop."""


NEEDS = {
    "a real network": "create_connection create_server create_datagram_endpoint sendfile start_tls "
    "create_unix_connection create_unix_server connect_accepted_socket getaddrinfo getnameinfo "
    "sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto "
    "sock_connect sock_accept sock_sendfile",
    "a real socket or pipe": "add_reader add_writer connect_read_pipe connect_write_pipe",
    "a real process": "subprocess_exec subprocess_shell",
}
"""The loop's methods that are refused, by what they need."""


def refusal(name: str, need: str) -> Callable[..., NoReturn]:
    """A method that raises `NotVirtual`, at the call and not only when awaited."""

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise NotVirtual(
            f"{name}() needs {need}; run this on the real loop (asyncio.run), "
            "or do it inside run_in_executor(), which virtual time waits for"
        )

    return refuse


_loop_threads: set[int] = set()
_loop_threads_lock = threading.Lock()
_real_sleep = time.sleep


@contextlib.contextmanager
def real_sleep_refused() -> Iterator[None]:
    """Make `time.sleep` raise on this thread, and only on this thread, for as long as it lasts."""
    global _real_sleep
    with _loop_threads_lock:
        if time.sleep is not _sleep:
            _real_sleep, time.sleep = time.sleep, _sleep
        _loop_threads.add(threading.get_ident())
    try:
        yield
    finally:
        with _loop_threads_lock:
            _loop_threads.discard(threading.get_ident())
            if not _loop_threads and time.sleep is _sleep:
                time.sleep = _real_sleep


def _sleep(seconds: float | SupportsIndex, /) -> None:
    if threading.get_ident() in _loop_threads:
        raise RealSleep(
            f"time.sleep({seconds!r}) at {line(sys._getframe(1))} would stop the loop's thread "
            "in real time; await asyncio.sleep() instead"
        )
    _real_sleep(seconds)


def no_thread_works() -> bool:
    """Whether every other Python thread is parked on a lock, so that only this one can wake it.

    Threads that `threading` did not start (of debuggers, of test runners) wake none of ours.
    """
    ours = threading.current_thread()
    others = {each.ident for each in threading.enumerate() if each is not ours}
    return all(_parked(top) for each, top in sys._current_frames().items() if each in others)


def _parked(top: FrameType) -> bool:
    if top.f_code is pool._worker.__code__:  # idle
        return True
    if top.f_code is not threading.Condition.wait.__code__:
        return False
    # A job whose wait has a timeout comes back by itself. Elsewhere a timed wait is housekeeping.
    return top.f_locals["timeout"] is None or not _runs_a_job(top)


def _runs_a_job(top: FrameType) -> bool:
    frame: FrameType | None = top
    while frame is not None:
        if frame.f_code is pool._WorkItem.run.__code__:
            return True
        frame = frame.f_back
    return False
