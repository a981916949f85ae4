"""Which device is meant, and one line of help for whatever is wrong with sound on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from antiphon.nodes import devices
from antiphon.nodes.devices import UNANTICIPATED, UNAVAILABLE, Device, choose, explained, listing
from antiphon.pipeline.errors import NoSound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUILT_IN = Device(0, "Built-in Audio", "ALSA", 2, 2, 48_000)
USB = Device(1, "USB Microphone", "ALSA", 1, 0, 44_100)
BUDS = Device(2, "Galaxy Buds", "ALSA", 1, 2, 48_000)
USB_2 = Device(3, "USB Speaker", "ALSA", 0, 2, 48_000)
USB_3 = Device(4, "USB Speaker", "OSS", 0, 2, 48_000)
ALL = [BUILT_IN, USB, BUDS, USB_2, USB_3]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [("", BUDS), ("0", BUILT_IN), ("usb", USB), ("galaxy buds", BUDS), ("USB Microphone", USB)],
)
def test_a_device_is_meant_by_number_by_name_or_by_default(wanted: str, meant: Device) -> None:
    assert choose(ALL, "input", wanted, standard=2) is meant


def test_the_same_device_under_two_systems_is_not_ambiguous() -> None:
    assert choose(ALL, "output", "USB", standard=0) is USB_2


def test_the_first_device_is_taken_where_the_system_has_no_default() -> None:
    assert choose(ALL, "output", "", standard=-1) is BUILT_IN


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("3", "no microphone is called '3'; there is: 0 Built-in Audio, 1 USB Microphone, 2 Galax"),
        ("webcam", "no microphone is called 'webcam'; there is: 0 Built-in Audio"),
        ("u", "more than one microphone is called 'u'; there is: 0 Built-in Audio, 1 USB Micro"),
    ],
)
def test_a_name_that_means_no_single_device_is_answered_with_those_there_are(
    wanted: str, complaint: str
) -> None:
    with pytest.raises(NoSound) as caught:
        choose(ALL, "input", wanted, standard=0)
    assert str(caught.value).startswith(complaint)


def test_a_machine_without_a_microphone_says_what_to_do() -> None:
    with pytest.raises(NoSound, match=r"^there is no microphone: .*(apt install|Settings)"):
        choose([USB_2], "input", "", standard=-1)


def test_what_is_worn_on_the_head_is_known_by_its_name() -> None:
    assert [each.name for each in ALL if each.headset] == ["Galaxy Buds"]


def test_the_list_shows_what_can_be_chosen() -> None:
    assert listing(ALL[:3], (1, 0)).splitlines() == [
        "  0  Built-in Audio (microphone and speaker, 48000 Hz, ALSA, default speaker)",
        "  1  USB Microphone (microphone, 44100 Hz, ALSA, default microphone)",
        "  2  Galaxy Buds (microphone and speaker, 48000 Hz, ALSA)",
    ]
    assert "there is no sound device: " in listing([], (-1, -1))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("Device unavailable", UNAVAILABLE), "is in use by a program that does not share it"),
        (
            ("Unanticipated host error", UNANTICIPATED, (8, -13, "Permission denied")),
            "may not be used: ",
        ),
        (
            ("Unanticipated host error", UNANTICIPATED, (8, -16, "Device or resource busy")),
            "is in use by a program that does not share it",
        ),
        (("Illegal combination of I/O devices", -9993), "cannot be opened (Illegal combination"),
    ],
)
def test_a_device_that_cannot_be_opened_says_why_and_what_helps(
    arguments: tuple[object, ...], complaint: str
) -> None:
    said = str(explained(RuntimeError(*arguments), USB, "input"))
    assert said.startswith("the microphone 1 USB Microphone ")
    assert complaint in said
    assert "\n" not in said


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a package sounddevice with that text, for one test."""

    def install(text: str) -> None:
        (tmp_path / "sounddevice.py").write_text(text, encoding="utf-8")

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    devices.portaudio.cache_clear()
    yield install
    devices.portaudio.cache_clear()
    sys.modules.pop("sounddevice", None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise ImportError('no such thing')", r'sounddevice is missing: \S+ install "antiphon\['),
        ("raise OSError('PortAudio library not found')", r"PortAudio is missing: \w+.* portaudio"),
        ("raise RuntimeError('Error initializing PortAudio')", "PortAudio does not start: Error i"),
    ],
)
def test_what_is_missing_for_sound_is_said_with_the_command_that_brings_it(
    text: str, complaint: str, installed: Callable[[str], None]
) -> None:
    installed(text)
    with pytest.raises(NoSound, match=complaint.replace(" portaudio", " (lib)?portaudio")):
        devices.portaudio()
