"""Who calls at a console: a recording, a keyboard, or whoever is at the microphone."""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from antiphon.nodes import devices
from antiphon.nodes.callers import FRAME, RATE
from antiphon.nodes.console import Wanted
from antiphon.nodes.wav import WavSource, open_wav
from antiphon.pipeline.errors import NoSound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from antiphon.screen import Screen

VIRTUAL: Final = "nobody can be at the microphone on a virtual clock"
CALLER: Final = Path(__file__).resolve().parents[1] / "samples" / "callers" / "hello.wav"


@dataclass(frozen=True, slots=True)
class Line:
    """Recordings one after the other, or lines of text, or a microphone; `fast`: virtual time."""

    recordings: tuple[WavSource, ...] = ()
    text: bool = False  # written, without any sound: in `lines`, or on the screen
    lines: Callable[[], AsyncIterator[str]] | None = None
    hasty: bool = False  # a new line of text does not wait for the answer to the last
    fast: bool = False
    microphone: Wanted | None = None

    @property
    def caller(self) -> str:
        """Who calls, in a word or two."""
        if self.text:
            return "in writing"
        return ", ".join(each.path.name for each in self.recordings) or "at the microphone"


class _ListDevices(argparse.Action):
    """Lists them and leaves, like `--version`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            defaults = devices.default("input"), devices.default("output")
            print(devices.listing(devices.devices(), defaults))  # noqa: T201
        except NoSound as error:
            parser.exit(1, f"antiphon: {error}\n")
        parser.exit()


def options(console: argparse.ArgumentParser) -> None:
    """What chooses the caller, for the command line."""
    caller = console.add_mutually_exclusive_group()
    caller.add_argument(
        *("--wav",), action="append", metavar="FILE", help="speak this file as the caller; repeat"
    )
    caller.add_argument("--text", action="store_true", help="write to it, a line a turn; no sound")
    console.add_argument(
        *("--stand-in",),
        type=Path,
        metavar="FILE",
        help="speak this file as the caller where there is no microphone",
    )
    device = "a device, by number or a part of its name"
    console.add_argument(
        *("--plain",), action="store_true", help="lines, where there could be a screen"
    )
    console.add_argument("--microphone", default="", metavar="DEVICE", help=f"{device}, to hear by")
    console.add_argument("--speaker", default="", metavar="DEVICE", help=f"{device}, to play at")
    console.add_argument(
        *("--aec",),
        action=argparse.BooleanOptionalAction,
        help="take the agent's own voice out of the microphone (always, but for a headset)",
    )
    console.add_argument(
        "--list-devices", action=_ListDevices, nargs=0, help="list microphones and speakers"
    )


def asked_for(given: argparse.Namespace, screen: Screen) -> Line:
    """Who calls, as the command line says: the microphone, where there is one and no other word."""
    if given.text:
        if screen.typing:
            return Line(text=True)
        if isinstance(sys.stdin, io.TextIOWrapper):  # what cannot be read is not the end
            sys.stdin.reconfigure(errors="replace")
        lines = _stdin_in_turn if given.fast else _stdin
        return Line(text=True, lines=lines, hasty=sys.stdin.isatty(), fast=given.fast)
    files = given.wav
    if not files:
        wanted = Wanted(given.microphone, given.speaker, given.aec)
        lacking = VIRTUAL if given.fast else _lacking(wanted)
        if not lacking:
            return Line(microphone=wanted)
        caller = given.stand_in or CALLER
        if given.microphone or given.speaker or not (given.stand_in or CALLER.exists()):
            raise NoSound(f"{lacking}; or give --wav FILE, or --text")
        screen.notice(f"{lacking}; {caller.name} calls instead")
        files = [caller]
    return Line(tuple(open_wav(file, RATE, FRAME) for file in files), fast=given.fast)


def _lacking(wanted: Wanted) -> str:
    """Why nobody can be at the microphone, or ""."""
    try:
        devices.device("input", wanted.microphone)
        devices.device("output", wanted.speaker)
    except NoSound as error:
        return str(error)
    return ""


async def _stdin_in_turn() -> AsyncIterator[str]:
    """Lines of standard input; virtual time stands while one is waited for."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip():
            yield line.strip()


async def _stdin() -> AsyncIterator[str]:
    """Lines of standard input, read in a thread that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in iter(sys.stdin.readline, ""):
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while line := await lines.get():
        if line.strip():
            yield line.strip()
