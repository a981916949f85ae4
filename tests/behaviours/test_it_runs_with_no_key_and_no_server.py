"""Promise 9: the built-in engines hold a real conversation, and say how good they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "samples"


def run(tmp_path: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the console as a program, with no key or server in its environment."""
    bare = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LIVEKIT") and "KEY" not in name and "SECRET" not in name
    }
    command = [sys.executable, "-m", "antiphon", "console", *map(str, arguments)]
    return subprocess.run(
        command, env=bare, cwd=tmp_path, capture_output=True, text=True, timeout=100
    )


def test_a_caller_is_understood_answered_and_obeyed_with_no_key(tmp_path: Path) -> None:
    caller = SAMPLES / "callers" / "interrupts.wav"
    ran = run(tmp_path, SAMPLES / "interruptions.py", "--wav", caller, "--fast", "--out", "out")

    assert ran.returncode == 0, ran.stderr
    assert "story" in ran.stdout  # understood
    assert "[interrupted]" in ran.stdout  # obeyed
    assert "It is " in ran.stdout  # and answered
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "conversation.wav",
        "timeline.jsonl",
        "transcript.json",
    }


def test_the_built_in_engines_say_how_good_they_are(tmp_path: Path) -> None:
    caller = SAMPLES / "callers" / "hello.wav"
    ran = run(tmp_path, SAMPLES / "hello.py", "--wav", caller, "--fast")

    assert "39 % on real people" in ran.stdout
    assert "no model, a few rules" in ran.stdout
