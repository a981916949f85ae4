"""`antiphon doctor`: what this machine has for a conversation, and what brings the rest.

A line for each piece. The status is 0 only if a spoken conversation could be held right now, with
the built-in engines at least.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from livekit import rtc
from livekit.agents import APIConnectOptions

from antiphon.nodes import devices, sound_check
from antiphon.nodes.bring import by_pip
from antiphon.nodes.local import stt, tts, vad
from antiphon.nodes.portaudio import Driver, PortAudio
from antiphon.patience import waiting_for
from antiphon.pipeline.errors import NodeUnavailable, NoSound
from antiphon.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

OLDEST: Final = (3, 11)
PACKAGES: Final = ("livekit-agents", "livekit", "numpy", "soxr", "sounddevice", "textual")
OF_A_SCREEN: Final = "textual"  # plain lines do without
KEYS: Final = (
    *("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"),
    *("GOOGLE_API_KEY", "GROQ_API_KEY", "DEEPGRAM_API_KEY", "ASSEMBLYAI_API_KEY"),
    *("CARTESIA_API_KEY", "ELEVEN_API_KEY"),
)
KEYS_END: Final = ("_API_KEY", "_API_SECRET", "_ACCESS_KEY_ID", "_ACCESS_KEY")  # others as well
LACKING: Final = (
    "no conversation can be held yet (with a recorded caller: `antiphon console FILE --wav FILE`; "
    "in writing: `antiphon console FILE --text`)"
)
PATIENCE: Final = 3.0  # seconds for a server to answer
ONCE: Final = APIConnectOptions(max_retry=0)
SPOKEN: Final = 2.0  # seconds recorded and played on request
FAINT: Final = -50.0  # dBFS: nobody spoke, or not into this microphone


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece: `there`, or missing with what `helps`; a conversation needs it, or does not."""

    what: str
    there: bool = True
    helps: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok" if self.there else "missing" if self.needed else "note"
        return f"  {mark:8} {self.what}" + (f": {self.helps}" if self.helps else "")


def run(*, sound: bool, say: Callable[[str], None], driver: Driver | None = None) -> int:
    """Look at everything, say it, and return the exit status."""
    fit = True
    for finding in examined(os.environ, driver or PortAudio(), sound=sound, say=say):
        say(str(finding))
        fit = fit and (finding.there or not finding.needed)
    say("a conversation can be held" if fit else LACKING)
    return 0 if fit else 1


def examined(
    environment: Mapping[str, str], driver: Driver, *, sound: bool, say: Callable[[str], None]
) -> Iterator[Finding]:
    """Everything, one after the other."""
    yield _python()
    yield from _packages()
    devices_there = True
    for finding in _sound(driver):
        yield finding
        devices_there = devices_there and finding.there
    if sound and devices_there:
        yield _heard(driver, say)
    with waiting_for("the engines", say):
        engines = _engines()
    yield from engines
    yield from _keys(environment)
    yield _server(environment.get("LIVEKIT_URL", ""))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST:
        return Finding(f"Python {version}, antiphon {__version__}")
    newer = by_system("sudo apt install python3", "brew install python", "winget install Python")
    return Finding(f"Python {version} is older than 3.11", False, newer)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            extra = "[console]" if name in ("sounddevice", OF_A_SCREEN) else ""
            yield Finding(name, False, by_pip(f"antiphon{extra}"), needed=name != OF_A_SCREEN)


def _sound(driver: Driver) -> Iterator[Finding]:
    try:
        yield Finding(driver.version())
    except NoSound as error:  # which would be said of each device as well
        yield Finding("sound", False, str(error))
        return
    for side in devices.SIDES:
        try:
            device = sound_check.opens(driver, side)
        except NoSound as error:
            yield Finding(devices.NAMES[side], False, str(error))
        else:
            yield Finding(f"{devices.NAMES[side]}: {device.number} {device.name}")


def _heard(driver: Driver, say: Callable[[str], None]) -> Finding:
    try:
        say(f"  speak    for {SPOKEN:g} seconds, then listen to yourself")
        samples = sound_check.recorded(driver, SPOKEN)
        sound_check.played(driver, samples)
    except NoSound as error:
        return Finding("recording", False, str(error))
    level = sound_check.level(samples)
    what = f"recorded and played, {level:.0f} dBFS at the loudest"
    if level > FAINT:
        return Finding(what)
    return Finding(f"{what}: nobody spoke, or it is muted", False, f"else {devices.permit()}")


def _engines() -> list[Finding]:
    """Each, once it has done its work on a word: an installed one may be broken."""
    said = [rtc.AudioFrame.create(16_000, 1, 16_000)]

    def say(voice: Literal["flite", "espeak"]) -> None:
        said.append(asyncio.run(_said(voice)))

    voices = [
        _engine("voice: flite", "", lambda: say("flite")),
        _engine("voice: espeak-ng", "espeakng-loader", lambda: say("espeak")),
    ]
    hears, knows = "hearing that somebody speaks", "recognising what was said"
    return [
        _engine(f"{hears}: webrtcvad", "webrtcvad-wheels", vad.Detector),
        _engine(
            f"{knows}: pocketsphinx", "pocketsphinx", lambda: asyncio.run(_recognised(said[-1]))
        ),
        *([voice for voice in voices if voice.there] or voices[1:]),
    ]


async def _said(voice: Literal["flite", "espeak"]) -> rtc.AudioFrame:
    engine = tts.TTS(engine=voice)
    try:
        async with engine.synthesize("Good morning.", conn_options=ONCE) as speech:
            return await speech.collect()
    finally:
        await engine.aclose()


async def _recognised(sound: rtc.AudioFrame) -> None:
    engine = stt.PocketsphinxSTT()
    try:
        await engine.recognize(sound, conn_options=ONCE)
    finally:
        await engine.aclose()


def _engine(what: str, package: str, tried: Callable[[], object]) -> Finding:
    try:
        tried()
    except NodeUnavailable as error:
        return Finding(what, False, str(error))
    except Exception as error:  # a library that does not fit this machine: it says anything
        why = f"it is there and does not work ({error})"
        return Finding(what, False, f"{why}: {by_pip(package, again=True)}")
    return Finding(what)


def _keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    there = sorted(name for name, key in environment.items() if key and name.endswith(KEYS_END))
    if there:
        yield Finding(f"keys in the environment: {', '.join(there)}")
    lacking = ", ".join(name for name in KEYS if name not in there)
    if lacking:
        why = "only models that ask for one need it"
        yield Finding(f"no {lacking}", False, why, needed=False)


def _server(url: str) -> Finding:
    """Whether whoever is at LIVEKIT_URL answers; the console needs no server.

    A connection alone says nothing: proxies and firewalls take any.
    """
    if not url:
        return Finding("no LIVEKIT_URL", False, "`antiphon dev` and `start` need it", needed=False)
    try:
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("no host is named in it")
        safe = parts.scheme in ("wss", "https")
        kind = http.client.HTTPSConnection if safe else http.client.HTTPConnection
        with closing(kind(parts.hostname, parts.port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/")
            connection.getresponse()
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = f"{error}; it looks like wss://your-project.livekit.cloud"
        return Finding("LIVEKIT_URL cannot be reached", False, why, needed=False)
    return Finding(f"LIVEKIT_URL answers: {parts.hostname}")


def by_system(debian: str, macos: str, windows: str) -> str:
    """The command for this system."""
    return {"darwin": macos, "win32": windows}.get(sys.platform, debian)
