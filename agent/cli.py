"""The command `antiphon`, and `cli.run_app(server)` for programs that are run themselves.

    antiphon console FILE [--wav FILE ... | --text] [--fast] [--local] [--out DIR] [--debug]
                          [--microphone DEVICE] [--speaker DEVICE] [--no-aec] [--list-devices]
                          [--stand-in FILE]
    antiphon doctor [--sound]
    antiphon conformance [MODULE:FUNCTION]    see `conformance`
    antiphon start|dev|connect FILE [...]     see `serving`
    antiphon download-files FILE
    python FILE console|start|dev|connect|download-files [...]

The exit status is 0 when the caller was answered to the end, 1 when something failed, 2 when the
command cannot be understood, 130 after Ctrl-C and 143 after SIGTERM. A program that ends itself
(`sys.exit`) chooses its own.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TextIO, cast

from livekit.agents import AgentServer, WorkerOptions

from antiphon import collector, conforming, line, serving, signals
from antiphon.call import Call, Ending, left_by
from antiphon.console import Console
from antiphon.nodes.models import IN_WRITING, LOCAL_ONLY
from antiphon.patience import waiting_for
from antiphon.pipeline.clock import VirtualTimeLoop
from antiphon.pipeline.errors import AntiphonError
from antiphon.pipeline.refused import Deadlock, Livelock
from antiphon.program import LOADING, load
from antiphon.record import CallRecord
from antiphon.screen import Printed, Screen, chosen
from antiphon.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEAVES_WITHIN: Final = 0.3  # seconds a thread of the program's may hold the exit


def main() -> None:
    """The entry point of `antiphon`; does not return."""
    _leave(run(sys.argv[1:]))


def run_app(server: AgentServer | WorkerOptions) -> None:
    """Run the command line of a program with `server` in it; does not return.

    Nothing happens while `antiphon` loads the program, which runs the server itself, nor in the
    process of a job.
    """
    if LOADING.get() or multiprocessing.parent_process() is not None:
        return
    if isinstance(server, WorkerOptions):
        server = AgentServer.from_server_options(server)
    _leave(run(sys.argv[1:], server))


def run(arguments: Sequence[str], server: AgentServer | None = None) -> int:
    """Do what the command line says and return the exit status; `server` saves naming a file."""
    _open_streams()
    given = _understood(arguments, own=server is not None)
    heeding = signals.Signals()
    try:
        if given.command in serving.COMMANDS:
            serving.serve(given, server)
            ending = Ending(0)
        elif given.command == "doctor":
            ending = Ending(_doctor(given))
        elif given.command == "conformance":
            ending = Ending(conforming.run(given, _say))
        else:
            screen = chosen(plain=given.command != "console" or given.plain or given.fast)
            with heeding.heeded(), _logging(screen, debug=given.debug):
                ending = _console(given, server, screen, heeding)
    except KeyboardInterrupt:  # the program's own
        ending = Ending(signals.status_of(2), "interrupted")
    except (AntiphonError, Deadlock, Livelock) as error:
        ending = Ending(1, str(error), error)
    if ending.why:
        if given.debug and ending.error is not None:
            traceback.print_exception(ending.error)
        with suppress(OSError):  # the terminal may be gone
            print(f"antiphon: {ending.why}", file=sys.stderr)  # noqa: T201
    return ending.status


def _open_streams() -> None:
    """Let what the shell has closed (`<&-`) be empty, or read by nobody."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _understood(arguments: Sequence[str], *, own: bool) -> argparse.Namespace:
    """`own`: the program itself is run, and needs no naming."""
    parser = argparse.ArgumentParser(prog=None if own else "antiphon")
    parser.add_argument("--version", action="version", version=f"antiphon {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_commands(commands, own=own)
    given, unknown = parser.parse_known_args(arguments)
    if unknown:  # argparse itself would show the options of no command
        commands.choices[given.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return given


def _add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], *, own: bool
) -> None:
    console = commands.add_parser("console", help="hold a conversation on this machine")
    if not own:
        console.add_argument(
            "file", type=Path, metavar="FILE", help="a program with an AgentServer"
        )
    add = console.add_argument
    line.options(console)
    add("--fast", action="store_true", help="on a virtual clock, not in real time")
    add("--local", action="store_true", help="use the built-in engines, whatever it names")
    add("--out", type=Path, metavar="DIR", help="write the record of the call there")
    add("--debug", action="store_true", help="show logs and tracebacks")
    serving.add_commands(commands, own=own)
    doctor = commands.add_parser("doctor", help="say what this machine lacks for a conversation")
    doctor.add_argument("--sound", action="store_true", help="record and play for two seconds each")
    doctor.set_defaults(debug=False)
    models = commands.add_parser("conformance", help="try language models in calls")
    conforming.options(models)


def _doctor(given: argparse.Namespace) -> int:
    from antiphon import doctor  # which looks at engines that a call may not need

    return doctor.run(sound=given.sound, say=_say)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads any more (`| head`), or the disk is full
        print(text, flush=True)  # noqa: T201


def _console(
    given: argparse.Namespace, server: AgentServer | None, screen: Screen, heeding: signals.Signals
) -> Ending:
    calling = line.asked_for(given, screen)
    local, written = LOCAL_ONLY.set(given.local), IN_WRITING.set(calling.text)
    try:
        program = given.file if server is None else Path(sys.argv[0])
        if server is None:
            with waiting_for(program.name, screen.notice):
                server = load(program)
        record = None
        if given.out is not None:
            record = CallRecord(given.out, sound=not calling.text)
        try:
            printed = cast("TextIO", Printed(screen, sys.stdout))
            with redirect_stdout(printed), signals.last(partial(_say_at_once, record)):
                ending = _held(Call(server, program, calling, screen, record), heeding)
        finally:
            if record is not None:
                record.close()
    finally:
        IN_WRITING.reset(written)
        LOCAL_ONLY.reset(local)
    if record is not None:
        screen.notice(str(record))
    elif screen.typing:
        screen.notice("no record was kept of it; --out DIR keeps one")
    return ending


def _say_at_once(record: CallRecord | None) -> None:
    """Where the record is, when the process ends under the call."""
    if record is not None:
        os.write(1, f"\n{record}\n".encode())


def _held(call: Call, heeding: signals.Signals) -> Ending:
    collector.pass_over_what_is_loaded()
    threads = ThreadPoolExecutor(thread_name_prefix="program")
    consoles: list[Console] = []

    async def hold() -> Ending:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(threads)
        console = Console(call)
        consoles.append(console)

        def end(status: int, why: str) -> None:
            loop.call_soon_threadsafe(console.end, Ending(status, why))

        try:
            with heeding.ending(end):
                return await console.hold()
        finally:
            # The loop would wait for a thread that never ends; `_leave` does not.
            threads.shutdown(wait=False, cancel_futures=True)
            loop.set_default_executor(ThreadPoolExecutor(1))

    with asyncio.Runner(loop_factory=VirtualTimeLoop if call.line.fast else None) as runner:
        try:
            return runner.run(hold())
        except SystemExit as left:  # of some task of the program's: it has stopped the loop
            ending = left_by(left, call.program)
        for console in consoles:
            console.end(ending)
            while not console.over:
                with suppress(SystemExit):  # the same again, from another task
                    runner.run(console.resume())
        return ending


class _OneLine(logging.Formatter):
    """An error's last line in place of its traceback, and where it was raised."""

    def formatException(self, ei: object) -> str:
        error = sys.exception() if not isinstance(ei, tuple) else ei[1]
        if error is None:
            return ""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        return f"{type(error).__name__}: {error}{place}"

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None
        return super().format(record).replace("\n", ": ")


class _Log(logging.StreamHandler[TextIO]):
    """Standard error, with the screen's open line ended first."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.end_line()
        super().emit(record)


@contextmanager
def _logging(screen: Screen, *, debug: bool) -> Iterator[None]:
    """Warnings on standard error, a line each; what the screen shows is not said twice."""
    handler = _Log(screen)
    kind = logging.Formatter if debug else _OneLine
    handler.setFormatter(kind("  %(levelname)s %(name)s: %(message)s"))
    if not debug:
        handler.addFilter(lambda record: record.name != "antiphon.turn")
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _leave(status: int) -> NoReturn:
    signals.leaving(status)
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads any more; Python would try again, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    signals.watchdog(LEAVES_WITHIN, status).start()
    sys.exit(status)
