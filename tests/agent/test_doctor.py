"""What `antiphon doctor` says of a machine, and that its status is whether one could talk to it."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from antiphon import doctor
from antiphon.nodes import sound_check
from antiphon.nodes.devices import Device, Side
from antiphon.pipeline.errors import NoSound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from antiphon.nodes.local.sound import Samples
    from antiphon.nodes.portaudio import Fill, Take

BUILT_IN = Device(0, "Built-in", "Script", 1, 2, 48_000)


class Open:
    """A stream that asks for a block a millisecond, in a thread of its own."""

    def __init__(self, rate: int, step: Callable[[], None]) -> None:
        self.rate = rate
        self._closed = threading.Event()
        self._step = step
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(0.001):
            self._step()

    def alive(self) -> bool:
        return not self._closed.is_set()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()


class Machine:
    """A driver with a voice in front of its microphone, or without one of its parts.

    Mutable: what came out of the speaker.
    """

    def __init__(self, *lacking: Side | Literal["PortAudio"], loudness: int = 8000) -> None:
        self._lacking = lacking
        self._loudness = loudness
        self.out: list[Samples] = []

    def version(self) -> str:
        if "PortAudio" in self._lacking:
            raise NoSound("PortAudio is missing: fetch it")
        return "PortAudio V0"

    def refresh(self) -> None: ...

    def device(self, side: Side, wanted: str) -> Device:
        if side in self._lacking:
            raise NoSound(f"there is no {side}: plug one in")
        return BUILT_IN

    def play(
        self, device: Device, rate: int, fill: Fill, lost: Callable[[], None] = lambda: None
    ) -> Open:
        def step() -> None:
            block = np.empty(480, np.int16)
            fill(block, 0.0)
            self.out.append(block)

        return Open(48_000, step)

    def record(self, device: Device, rate: int, take: Take) -> Open:
        block = np.full(160, self._loudness, np.int16)
        return Open(16_000, lambda: take(block, 0.0))


def findings(
    driver: Machine | None = None, *, sound: bool = False, **environment: str
) -> list[doctor.Finding]:
    said: list[str] = []
    machine = driver or Machine()
    return list(doctor.examined(environment, machine, sound=sound, say=said.append))


def missing(found: list[doctor.Finding]) -> list[str]:
    return [str(each) for each in found if each.needed and not each.there]


def test_a_machine_with_everything_lacks_nothing() -> None:
    found = findings()
    assert missing(found) == []
    said = "\n".join(map(str, found))
    assert "ok       Python 3." in said
    assert "ok       microphone: 0 Built-in" in said
    assert "ok       recognising what was said: pocketsphinx" in said


def test_an_engine_that_is_there_and_does_not_work_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "webrtcvad.py").write_text("raise ImportError('made for another machine')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "webrtcvad", raising=False)
    (line,) = missing(findings())
    assert "made for another machine" in line
    assert line.endswith('--force-reinstall --no-deps "webrtcvad-wheels"')


@pytest.mark.parametrize("side", ["input", "output"])
def test_without_a_device_no_conversation_can_be_held_and_the_line_says_what_helps(
    side: Side,
) -> None:
    (line,) = missing(findings(Machine(side)))
    assert line.startswith("  missing  ")
    assert line.endswith(f"there is no {side}: plug one in")


def test_without_portaudio_it_is_said_once_and_no_device_is_asked_for() -> None:
    found = findings(Machine("PortAudio", "input", "output"), sound=True)
    assert missing(found) == ["  missing  sound: PortAudio is missing: fetch it"]


def test_a_key_is_named_and_its_value_is_not() -> None:
    keys: dict[str, Any] = {"OPENAI_API_KEY": "sk-secret", "MISTRAL_API_KEY": "my-secret"}
    said = "\n".join(map(str, findings(**keys, DEEPGRAM_API_KEY="")))
    assert "ok       keys in the environment: MISTRAL_API_KEY, OPENAI_API_KEY\n" in said
    assert "note     no LIVEKIT_API_KEY" in said
    assert "secret" not in said


@contextmanager
def serving(answer: bytes) -> Iterator[str]:
    """The address of a server that gives one answer, and hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            with closing(server.accept()[0]) as connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ws://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_server_is_reachable_when_it_answers() -> None:
    with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK") as url:
        found = findings(LIVEKIT_URL=url)
    assert str(found[-1]) == "  ok       LIVEKIT_URL answers: 127.0.0.1"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_whoever_takes_a_connection_and_is_no_server_is_none(answer: bytes) -> None:
    with serving(answer) as url:
        found = findings(LIVEKIT_URL=url)
    assert str(found[-1]).startswith("  note     LIVEKIT_URL cannot be reached: ")
    assert missing(found) == []


@pytest.mark.parametrize("url", ["", "ws://127.0.0.1:1", "nonsense", "ws://127.0.0.1:noport"])
def test_a_server_that_cannot_be_reached_is_noted_and_prevents_no_conversation(url: str) -> None:
    found = findings(LIVEKIT_URL=url)
    assert str(found[-1]).startswith("  note     ")
    assert missing(found) == []


def test_on_request_a_voice_is_recorded_and_played_back() -> None:
    machine = Machine()
    found = findings(machine, sound=True)
    assert "  ok       recorded and played, -12 dBFS at the loudest" in map(str, found)
    out = np.concatenate(machine.out)
    assert np.count_nonzero(out) == pytest.approx(2.0 * 48_000, rel=0.05)


def test_a_microphone_that_hears_nobody_is_missing() -> None:
    (line,) = missing(findings(Machine(loudness=0), sound=True))
    assert "recorded and played, -120 dBFS at the loudest: nobody spoke, or it is muted" in line


def test_the_level_of_no_sound_at_all_is_a_number() -> None:
    assert sound_check.level(np.empty(0, np.int16)) == sound_check.SILENCE


@pytest.mark.parametrize(("lacking", "status"), [((), 0), (("input",), 1)])
def test_the_status_is_whether_a_conversation_can_be_held(
    lacking: tuple[Side, ...], status: int
) -> None:
    said: list[str] = []
    assert doctor.run(sound=False, say=said.append, driver=Machine(*lacking)) == status
    assert said[-1] == (doctor.LACKING if status else "a conversation can be held")
