"""A sound card that is not there: PulseAudio with a speaker and a microphone made of null sinks.

It runs as whoever runs the tests, without D-Bus and without a device, in a folder of its own, and
ends with the fixture. Both sinks are kept ticking: an idle one hands out its time in lumps of two
seconds. What comes out of the speaker is captured from its monitor, sample for sample.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from antiphon.nodes.local.sound import Samples

RATE: Final = 24_000  # Hz, of what is captured: what the agent's voice is played at
LOUD: Final = 500  # of a 16-bit sample: what is captured is sound
SINKS: Final = ("speaker", "micfeed")
INSTALL: Final = (
    "apt install pulseaudio pulseaudio-utils libasound2-plugins libportaudio2; "
    "pip install sounddevice"
)


def missing() -> str:
    """What the virtual card needs and is not there, with the command that brings it; or ""."""
    lacking = [name for name in ("pulseaudio", "pactl", "pacat", "parec") if not shutil.which(name)]
    lacking += [] if find_library("portaudio") else ["libportaudio2"]
    lacking += [] if find_spec("sounddevice") else ["sounddevice"]
    return f"{', '.join(lacking)} missing: {INSTALL}" if lacking else ""


class SoundCard:
    """Mutable state: the processes, and the file that what is heard goes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "HOME": str(folder),
            "PULSE_SERVER": f"unix:{folder}/pulse/native",
        }
        self._running = ExitStack()
        self._passing = ExitStack()  # who speaks and listens
        self._started = False
        self._heard = folder / "heard.raw"
        self._listening: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Bring it up, and wait until both ends tick."""
        (self.folder / "pulse").mkdir(mode=0o700, exist_ok=True)
        modules = [f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}"]
        modules += [f"module-null-sink sink_name={sink} rate=48000 channels=1" for sink in SINKS]
        modules += ["module-remap-source source_name=vmic master=micfeed.monitor"]
        loaded = [part for module in modules for part in ("-L", module)]
        self._run("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", *loaded)
        self._until_it_answers()
        self.control("set-default-sink", "speaker")
        self.control("set-default-source", "vmic")
        for sink in SINKS:
            self._stream("pacat", "--playback", "-d", sink, "/dev/zero")
        for source in ("speaker.monitor", "vmic"):
            recorder = self.capture(source)
            assert recorder.stdout is not None
            recorder.stdout.read(RATE // 4)
            end(recorder)
        self._started = True

    @property
    def running(self) -> bool:
        return self._started

    def clear(self) -> None:
        """Nobody speaks, nobody listens, and the microphone does not hear the speaker."""
        self._passing.close()
        self._passing = ExitStack()
        self._listening = None
        if self._started:
            for line in self.control("list", "short", "modules").splitlines():
                number, name, *_ = line.split("\t")
                if name == "module-loopback":
                    self.control("unload-module", number)

    def stop(self) -> None:
        """Take it away, as if it were unplugged."""
        self._started = False
        self.clear()
        self._running.close()
        self._running = ExitStack()

    def control(self, *arguments: str) -> str:
        """What `pactl` says."""
        asked = ["pactl", *arguments]
        ran = subprocess.run(asked, env=self._all(), capture_output=True, text=True, timeout=20)
        if ran.returncode:
            raise RuntimeError(f"{' '.join(asked)}: {ran.stderr}")
        return ran.stdout

    def capture(self, source: str) -> subprocess.Popen[bytes]:
        """Write what passes there to the process's own output; to be ended by the caller."""
        return self._spawn(*self._format("parec", "-d", source), stdout=subprocess.PIPE)

    def listen(self) -> None:
        """Capture, from now on, what comes out of the speaker."""
        if self._listening is not None:
            end(self._listening)
        command = self._format("parec", "-d", "speaker.monitor")
        with self._heard.open("wb") as file:
            self._listening = self._spawn(*command, stdout=file)
        self._passing.callback(end, self._listening)
        while not self._heard.stat().st_size:
            time.sleep(0.01)

    def heard(self) -> Samples:
        """What has come out of the speaker since `listen`."""
        return _samples(self._heard)

    def speak(self, samples: Samples, rate: int = 16_000) -> None:
        """Say that into the microphone."""
        spoken = self.folder / "spoken.raw"
        spoken.write_bytes(samples.tobytes())
        command = self._format("pacat", "--playback", "-d", "micfeed", str(spoken), rate=rate)
        self._passing.callback(end, self._spawn(*command, stdout=subprocess.DEVNULL))

    def echo(self, gain: float, delay: float) -> None:
        """Let the microphone hear the speaker, `gain` decibels louder and `delay` seconds later."""
        self.control(
            *("load-module", "module-loopback", "source=speaker.monitor", "sink=micfeed"),
            f"latency_msec={round(delay * 1000)}",
        )
        inputs = self.control("list", "sink-inputs").split("Sink Input #")[1:]
        loop = next(each for each in inputs if "module-loopback.c" in each)
        self.control("set-sink-input-volume", loop.split()[0], f"{gain}dB")

    @contextmanager
    def another_speaker(self) -> Iterator[Callable[[], Samples]]:
        """One more, called `another`, and what came out of it."""
        sink = ("module-null-sink", "sink_name=another", "rate=48000", "channels=1")
        number = self.control("load-module", *sink).strip()
        ticking = self._spawn(
            *self._format("pacat", "--playback", "-d", "another", "/dev/zero"),
            stdout=subprocess.DEVNULL,
        )
        heard = self.folder / "another.raw"
        with heard.open("wb") as file:
            recorder = self._spawn(*self._format("parec", "-d", "another.monitor"), stdout=file)
        try:
            while not heard.stat().st_size:
                time.sleep(0.01)
            yield lambda: _samples(heard)
        finally:
            end(recorder)
            end(ticking)
            self.control("set-default-sink", "speaker")
            self.control("unload-module", number)

    @property
    def _socket(self) -> str:
        return self.environment["PULSE_SERVER"].removeprefix("unix:")

    def _all(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def _format(self, program: str, *arguments: str, rate: int = RATE) -> list[str]:
        form = ["--format=s16le", "--channels=1", f"--rate={rate}", "--raw", "--latency-msec=20"]
        return [program, *arguments, *form]

    def _run(self, *command: str) -> None:
        self._keep(self._spawn(*command, stdout=subprocess.DEVNULL))

    def _stream(self, *command: str) -> None:
        program, *arguments = command
        self._run(*self._format(program, *arguments))

    def _spawn(self, *command: str, stdout: int | IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=self._all(), stdout=stdout, stderr=subprocess.DEVNULL)

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        self._running.callback(end, process)

    def _until_it_answers(self) -> None:
        ends = time.monotonic() + 20
        while True:
            try:
                self.control("info")
                return
            except RuntimeError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)


def _samples(file: Path) -> Samples:
    data = file.read_bytes()
    return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


def end(process: subprocess.Popen[bytes]) -> None:
    """Be rid of it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    if process.stdout is not None:
        process.stdout.close()


def slam() -> Samples:
    """A door at 16 kHz: a low thud with a crack at its beginning."""
    at = np.arange(6400) / 16_000
    thud = np.sin(2 * np.pi * 70 * at) * np.exp(-at * 14) * 18_000
    thud[:200] += np.random.default_rng(2).standard_normal(200) * 6000
    return thud.clip(-32_000, 32_000).astype(np.int16)


def without_gaps(captured: Samples) -> Samples:
    """The sound alone: a card that was not fed in time is silent in the midst of it, and goes on.

    To the sample but for what is fainter than the threshold beside a gap, so that many gaps, and
    one just before the end, do not blur how much was heard.
    """
    loud = np.flatnonzero(abs(captured.astype(np.int32)) > LOUD)
    if not len(loud):
        return captured[:0]
    breaks = np.flatnonzero(np.diff(loud) > RATE // 200)
    begins, ends = loud[[0, *(breaks + 1)]], loud[[*breaks, len(loud) - 1]]
    return np.concatenate(
        [captured[first : last + 1] for first, last in zip(begins, ends, strict=True)]
    )


@pytest.fixture(scope="session")
def virtual_card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCard]:
    """Starting it takes seconds, and a test leaves it as it was."""
    card = SoundCard(tmp_path_factory.mktemp("sound"))
    yield card
    card.stop()


@pytest.fixture
def sound_card(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SoundCard]:
    """A running virtual card, which is the default of this process meanwhile."""
    if reason := missing():
        pytest.skip(reason)
    from antiphon.nodes import devices

    card: SoundCard = request.getfixturevalue("virtual_card")
    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)
    if not card.running:
        card.stop()  # what is left of it
        card.start()
    devices.portaudio()
    devices.refresh()
    yield card
    card.clear()
