"""The sound devices of this machine: which there are, which is meant, and what is missing.

PortAudio does the work, by the package `sounddevice`. Whatever is wrong with it, or with a device,
is a `NoSound` whose one line names the command that helps.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from antiphon.nodes.bring import by_pip
from antiphon.pipeline.errors import NoSound

if TYPE_CHECKING:
    from collections.abc import Sequence

Side = Literal["input", "output"]

SIDES: Final[tuple[Side, Side]] = ("input", "output")
NAMES: Final[dict[Side, str]] = {"input": "microphone", "output": "speaker"}
SOUND_FILES: Final = Path("/dev/snd")  # Linux' sound cards
HEADSETS: Final = ("headset", "headphone", "airpods", "earbud", "earphone", "buds", "earpods")

# PortAudio's error numbers.
UNANTICIPATED: Final = -9999
CHANNELS: Final = -9998
RATE: Final = -9997
UNAVAILABLE: Final = -9985


@dataclass(frozen=True, slots=True)
class Device:
    """One device as PortAudio lists it; `rate` in Hz is what it plays at by itself."""

    number: int
    name: str
    host: str
    inputs: int
    outputs: int
    rate: int

    def channels(self, side: Side) -> int:
        return self.inputs if side == "input" else self.outputs

    @property
    def headset(self) -> bool:
        """Its name says that it is worn on the head: the microphone does not hear it."""
        name = self.name.lower()
        return any(word in name for word in HEADSETS)


@cache
def portaudio() -> Any:  # it has no types
    """The package `sounddevice`, with PortAudio running in it."""
    try:
        library = importlib.import_module("sounddevice")
    except ImportError:
        raise NoSound(
            f"the package sounddevice is missing: {by_pip('antiphon[console]')}"
        ) from None
    except OSError:
        raise NoSound(f"PortAudio is missing: {_install_portaudio()}") from None
    except Exception as error:  # PortAudio itself does not start
        raise NoSound(f"PortAudio does not start: {error}; {_bring_device()}") from error
    _hush_alsa()
    return library


def version() -> str:
    """Which PortAudio it is."""
    return str(portaudio().get_portaudio_version()[1]).split(",")[0]


def refresh() -> None:
    """Look at the devices anew; every stream must be closed. PortAudio lists them only once."""
    library = portaudio()
    # There is no public way to do it.
    library._terminate()
    library._initialize()


def devices() -> list[Device]:
    """All of them, in PortAudio's order."""
    library = portaudio()
    hosts = [str(host["name"]) for host in library.query_hostapis()]
    return [
        Device(
            number,
            str(each["name"]),
            hosts[each["hostapi"]],
            int(each["max_input_channels"]),
            int(each["max_output_channels"]),
            round(each["default_samplerate"]),
        )
        for number, each in enumerate(library.query_devices())
    ]


def default(side: Side) -> int:
    """The number of the system's default device; -1 where there is none."""
    return int(portaudio().default.device[0 if side == "input" else 1])


def device(side: Side, wanted: str = "") -> Device:
    """The device that is meant: by number, by name or a part of one, or the default for ""."""
    return choose(devices(), side, wanted, default(side))


def choose(found: Sequence[Device], side: Side, wanted: str, standard: int) -> Device:
    """The one of `found` that is meant; `standard` is the number of the default."""
    usable = [each for each in found if each.channels(side)]
    if not usable and _forbidden():
        raise NoSound(f"there is no {NAMES[side]} that may be used: {permit()}")
    if not usable:
        raise NoSound(f"there is no {NAMES[side]}: {_bring_device()}")
    if not wanted:
        return next((each for each in usable if each.number == standard), usable[0])
    if wanted.isdecimal():
        matching = [each for each in usable if each.number == int(wanted)]
    else:
        name = wanted.lower()
        matching = [each for each in usable if each.name.lower() == name]
        matching = matching or [each for each in usable if name in each.name.lower()]
        # The same device under several host APIs: the first is PortAudio's own choice.
        if len({each.name for each in matching}) == 1:
            matching = matching[:1]
    if len(matching) == 1:
        return matching[0]
    which = "no" if not matching else "more than one"
    some = ", ".join(f"{each.number} {each.name}" for each in matching or usable)
    raise NoSound(f"{which} {NAMES[side]} is called {wanted!r}; there is: {some}")


def listing(found: Sequence[Device], standard: tuple[int, int]) -> str:
    """One line for each, with its number; `standard` are the numbers of both defaults."""
    lines = []
    for each in found:
        sides = [side for side in SIDES if each.channels(side)]
        can = " and ".join(NAMES[side] for side in sides)
        marks = [
            f"default {NAMES[side]}" for side in sides if standard[SIDES.index(side)] == each.number
        ]
        said = ", ".join([can, f"{each.rate} Hz", each.host, *marks])
        lines.append(f"{each.number:3}  {each.name} ({said})")
    return "\n".join(lines) or f"there is no sound device: {_bring_device()}"


def explained(error: Exception, meant: Device, side: Side) -> NoSound:
    """What PortAudio says about opening a device, with what to do about it."""
    number = error.args[1] if len(error.args) > 1 else None
    what = f"the {NAMES[side]} {meant.number} {meant.name}"
    host = str(error.args[2][2]) if len(error.args) > 2 else ""
    if "ermission" in host or "ccess denied" in host:
        return NoSound(f"{what} may not be used: {permit()}")
    if number == UNAVAILABLE or "busy" in host:
        return NoSound(
            f"{what} is in use by a program that does not share it: close that one, or choose "
            f"another device (--list-devices shows them)"
        )
    said = host or str(error.args[0] if error.args else error)
    return NoSound(f"{what} cannot be opened ({said}): {_bring_device()}")


def _install_portaudio() -> str:
    if sys.platform == "darwin":
        return "brew install portaudio"
    if sys.platform == "win32":
        return "pip install --force-reinstall sounddevice"
    return "sudo apt install libportaudio2"


def _bring_device() -> str:
    if sys.platform == "darwin":
        return "look into System Settings > Sound"
    if sys.platform == "win32":
        return "look into Settings > System > Sound"
    return (
        "plug one in, and see that PipeWire or PulseAudio runs "
        "(sudo apt install pipewire-pulse libasound2-plugins)"
    )


def _forbidden() -> bool:
    """There are sound cards, and none of them may be read: they are not even listed."""
    cards = list(SOUND_FILES.glob("pcm*"))
    return bool(cards) and not any(os.access(card, os.R_OK | os.W_OK) for card in cards)


def permit() -> str:
    if sys.platform == "darwin":
        return "allow your terminal in System Settings > Privacy & Security > Microphone"
    if sys.platform == "win32":
        return "allow desktop apps in Settings > Privacy & security > Microphone"
    return "sudo usermod -aG audio $USER, and log in again"


# ALSA would write its messages across the screen.
_HUSH: Final = ctypes.CFUNCTYPE(None)(lambda: None)


def _hush_alsa() -> None:
    if sys.platform.startswith("linux"):
        try:
            ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_HUSH)
        except (OSError, AttributeError):
            return
