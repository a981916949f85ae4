"""What is missing is named with a command that brings it to the environment that lacks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.nodes.bring import by_pip

if TYPE_CHECKING:
    import pytest

OWN = Path(sys.executable).parent


def test_an_environment_that_is_activated_is_brought_it_by_the_pip_on_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(OWN))
    assert by_pip("antiphon[local]") == 'pip install "antiphon[local]"'


def test_an_environment_that_is_not_activated_is_brought_it_by_its_own_pip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for folder in (tmp_path, OWN.parent):
        monkeypatch.chdir(folder)
        pip, _, rest = by_pip("antiphon[local]").partition(" install ")
        assert rest == '"antiphon[local]"'
        said = subprocess.run([*pip.split(), "--version"], capture_output=True, text=True)
        assert str(OWN.parent) in said.stdout, said
