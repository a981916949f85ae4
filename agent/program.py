"""An agent program: the file, the one server in it, and which of its lines is to blame."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from livekit.agents import AgentServer
from livekit.agents import AgentSession as LiveKitSession

from antiphon import nodes, pipeline
from antiphon.nodes.bring import by_pip
from antiphon.pipeline.errors import AntiphonError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EXAMPLE: Final = "server = AgentServer(), with an entry point under @server.rtc_session()"

LOADING: ContextVar[bool] = ContextVar("antiphon.loading", default=False)
"""A program is being loaded: `cli.run_app` in it has nothing to run."""


class ProgramError(AntiphonError):
    """A program cannot be used, or failed; the message says where. `cause` is its own error."""

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause


def load(path: Path) -> AgentServer:
    """Run the file as a module (not as `__main__`), its folder first on `sys.path`."""
    if path.is_dir():
        raise ProgramError(f"{path} is a folder; name the Python file with the AgentServer in it")
    if not path.exists():
        raise ProgramError(f"there is no file {path}")
    path = path.resolve()
    name = path.stem if path.stem not in sys.modules else f"antiphon_program_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProgramError(f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[name] = module
    loading = LOADING.set(True)
    try:
        with blamed(path, "could not be loaded"):
            spec.loader.exec_module(module)
    finally:
        LOADING.reset(loading)
    return _server(module, path)


@contextmanager
def blamed(program: Path, what: str) -> Iterator[None]:
    """Turn an error of the program's into a ProgramError that names the line."""
    try:
        yield
    except SyntaxError as error:
        place = f"{error.filename or program}:{error.lineno or 1}"
        raise ProgramError(f"{place}: {type(error).__name__}: {error.msg}", error) from error
    except ProgramError:
        raise
    except SystemExit as error:
        place = place_of(error, program)
        raise ProgramError(
            f"{place}: the program ended itself (exit {error.code})", error
        ) from error
    except Exception as error:
        raise ProgramError(f"{program.name} {what}: {blame(error, program)}", error) from error


def blame(error: BaseException, program: Path, *, own: bool = False) -> str:
    """One line: what was raised, and the last line of the program's own on the way to it.

    `own`: no place is better than one in somebody else's code.
    """
    said = str(error).strip().split("\n")[0]
    place = "" if own and not _frames(error, program) else f" ({place_of(error, program)})"
    if isinstance(error, AntiphonError) and said:  # it says what to do, and needs no name
        return f"{said}{place}"
    kind = type(error).__name__
    said += _bringing(error)
    return f"{kind}: {said}{place}" if said else f"{kind}{place}"


def _bringing(error: BaseException) -> str:
    """The command that brings a plugin of LiveKit's that is not installed."""
    if not isinstance(error, ImportError) or not (error.name or "").startswith("livekit.plugins"):
        return ""
    found = re.search(r"livekit\.plugins\.(\w+)|name '(\w+)' from", str(error))
    plugin = "NAME" if found is None else found[1] or found[2]
    ours = plugin in (metadata("antiphon").get_all("Provides-Extra") or ())
    wanted = f"antiphon[{plugin}]" if ours else f"livekit-plugins-{plugin.replace('_', '-')}"
    return f"; bring it with: {by_pip(wanted)}"


def place_of(error: BaseException, program: Path) -> str:
    """`file:line` of the last frame that lies in the program's folder, else of the last one."""
    frames = _frames(error, program) or list(traceback.extract_tb(error.__traceback__))
    if not frames:
        return str(program)
    return _short(Path(frames[-1].filename), frames[-1].lineno, program)


def _frames(error: BaseException, program: Path) -> list[traceback.FrameSummary]:
    """Those of the program's own."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = program.resolve().parent
    return [frame for frame in frames if _in(folder, Path(frame.filename))]


def _short(file: Path, line: int | None, program: Path) -> str:
    return f"{file.name if file.parent == program.resolve().parent else file}:{line}"


def _in(folder: Path, file: Path) -> bool:
    """Whether a file is the program's, and not of a package that happens to lie beside it."""
    ours = {Path(part.__file__ or "").parent for part in (nodes, pipeline)} | {
        Path(__file__).parent
    }
    if not file.is_relative_to(folder) or ours & set(file.parents):
        return False
    return not {"site-packages", "build"} & set(file.relative_to(folder).parts)


def _server(module: ModuleType, path: Path) -> AgentServer:
    if any(each is LiveKitSession for each in vars(module).values()):
        raise ProgramError(
            f"{path.name} imports AgentSession from livekit.agents, which needs a room: "
            f"write `from antiphon import Agent, AgentSession`; the rest stays as it is"
        )
    found = {name: each for name, each in vars(module).items() if isinstance(each, AgentServer)}
    different = {id(server): server for server in found.values()}
    if not different:
        raise ProgramError(
            f"{path.name} has no AgentServer: write {EXAMPLE}; or "
            f"let it begin itself, with python {path.name} console"
        )
    if len(different) > 1:
        names = " and ".join(sorted(found))
        raise ProgramError(f"{path.name} has {len(different)} AgentServers, {names}; keep one")
    return next(iter(different.values()))
