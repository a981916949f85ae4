"""`antiphon console FILE` at a microphone: the program as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon import cli
from antiphon.nodes.wav import read_wav
from tests.sound_card import RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import sound_card as virtual
    from tests.programs import Programs

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
SAMPLE = Path(__file__).parents[2] / "samples" / "interruptions.py"
ECHO = "await AgentSession().start(Echo())"


def until(true: Callable[[], bool]) -> None:
    """The test's own time limit ends a wait in vain."""
    while not true():
        time.sleep(0.05)


@pytest.mark.timeout(150)
def test_a_caller_at_the_microphone_is_answered_until_somebody_hangs_up(
    sound_card: virtual.SoundCard, tmp_path: Path
) -> None:
    said = tmp_path / "said.txt"
    record = tmp_path / "out"
    command = [sys.executable, "-m", "antiphon", "console", str(SAMPLE), "--out", str(record)]
    with said.open("w") as file:
        console = subprocess.Popen(command, stdout=file, stderr=file, env=dict(os.environ))
    try:
        until(lambda: "with   " in said.read_text())
        sound_card.listen()
        sound_card.speak(read_wav(CALLERS / "hums.wav").samples[40_000:85_000])
        until(lambda: bool(np.count_nonzero(sound_card.heard()) > RATE))  # a second of the answer
        console.send_signal(signal.SIGINT)
        status = console.wait(30)
    finally:
        console.kill()
        console.wait()

    assert status == 130, said.read_text()
    assert "the agent cannot be interrupted by voice yet" in said.read_text()
    speakers = [line["speaker"] for line in json.loads((record / "transcript.json").read_text())]
    assert {"user", "agent"} <= set(speakers)
    with wave.open(str(record / "conversation.wav")) as sound:
        both = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).reshape(-1, 2)
    assert abs(both.astype(np.int32)).max(axis=0).min() > 2000  # both were heard


def test_a_microphone_that_is_not_there_is_an_error_of_one_line(programs: Programs) -> None:
    ran = programs.console(programs.entry(ECHO), "--microphone", "nowhere at all")
    assert ran.status == 1
    (line,) = ran.err.splitlines()
    assert line.startswith("antiphon: ")
    assert line.endswith("; or give --wav FILE, or --text")


def test_a_call_on_a_virtual_clock_has_a_recorded_caller(programs: Programs) -> None:
    ran = programs.console(programs.entry(ECHO), "--fast")
    said = "nobody can be at the microphone on a virtual clock; hello.wav calls instead\n"
    assert ran.out.startswith(said)


def test_where_there_is_no_microphone_the_recording_that_stands_in_calls(
    programs: Programs,
) -> None:
    program = programs.entry(ECHO.replace("()", "(stt='local/', tts='local/')", 1))
    ran = programs.console(program, "--fast", "--stand-in", CALLERS / "hums.wav")
    assert "on a virtual clock; hums.wav calls instead\n" in ran.out
    assert "story" in str(ran.transcript[0]["text"])


def test_the_devices_are_listed_without_naming_a_program(
    sound_card: virtual.SoundCard, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.run(["console", "--list-devices"])
    assert left.value.code == 0
    assert "microphone and speaker" in capsys.readouterr().out


def test_the_doctor_finds_what_a_conversation_needs(
    sound_card: virtual.SoundCard, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "  ok       microphone: " in said
    assert said.endswith("a conversation can be held\n")
