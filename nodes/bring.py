"""The command that brings a Python package to where this program runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def by_pip(wanted: str, *, again: bool = False) -> str:
    """In double quotes, which every system's shell takes, and by this environment's own pip: it is
    another one that a shell finds in which the environment was not activated. `again`: what is
    there already does not work.
    """
    here = Path(sys.executable).parent
    found = shutil.which("pip")
    own = shutil.which("pip", path=str(here))
    if found is not None and Path(found).parent == here:
        pip = "pip"
    elif own is not None:
        near = os.path.relpath(own) if Path(own).is_relative_to(Path.cwd()) else own
        pip = f'"{near}"' if " " in near else near
    else:
        pip = f"{sys.executable} -m pip"
    return f'{pip} install {"--force-reinstall --no-deps " * again}"{wanted}"'
