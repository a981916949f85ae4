"""The rules of the house, read from the source: which way imports point, how large things grow.

Each rule is a function from one parsed file to what is wrong with it, and each is shown a small bad
program that it must refuse.
"""

import ast
import functools
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ("agent", "pipeline", "nodes")
EVERYTHING = (*PACKAGE, "tests", "samples", "bench")

FILE_LINES = 350
FUNCTION_LINES = 40
FACADE_LINES = 9
FACADES = {"agent/session.py": "AgentSession", "agent/agent.py": "Agent"}

# What the core must not know of, and the files that are made of it: the clock.
NOT_IN_PIPELINE = {"livekit", "threading", "socket", "ssl", "subprocess", "time", "datetime"}
NOT_IN_PIPELINE |= {"concurrent", "multiprocessing", "queue", "selectors", "signal", "random"}
NOT_IN_PIPELINE |= {"webrtcvad", "pocketsphinx", "espeakng_loader", "sounddevice", "aiohttp"}
CLOCK = {"pipeline/clock.py", "pipeline/refused.py"}

# LiveKit's own session, which ours takes the place of; the worker is the one that may reach inside.
LIVEKIT_SESSION = {"agent_session", "agent_activity", "audio_recognition", "generation"}
LIVEKIT_SESSION |= {"speech_handle"}
WORKER = "agent/worker.py"

LOOSE = {"create_task", "ensure_future", "TaskGroup", "gather", "wait_for"}
TASKS_START_IN = {"pipeline/streams.py": {"create_task"}, "pipeline/clock.py": LOOSE}
# Leaving a scope takes its time under cancellation, and raises it afterwards.
CANCELLATION_WAITS_IN = "pipeline/streams.py"
CLOCKS = {"monotonic", "perf_counter", "monotonic_ns", "perf_counter_ns", "time_ns", "sleep"}
CANCELLED = {"BaseException", "CancelledError", "GeneratorExit"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its path from the root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        return self.path.split("/", 1)[0]


def parse(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text, path))


def sources(folders: tuple[str, ...]) -> Iterator[Source]:
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield parse(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Every imported name with its line; a relative one begins with its dots."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def named(node: ast.AST) -> str:
    """The last part of a name: `x` of `x`, of `a.x` and of `a.x()`."""
    if isinstance(node, ast.Call):
        return named(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def imports_point_one_way(source: Source) -> Iterator[str]:
    below = {"pipeline": {"pipeline"}, "nodes": {"pipeline", "nodes"}}.get(source.folder)
    for line, name in imports(source):
        first, *rest = name.split(".")
        if below is not None and first == "antiphon" and (not rest or rest[0] not in below):
            yield f"{source.path}:{line}: {source.folder} imports {name}, which is above it"


def the_core_knows_no_vendor_and_no_clock(source: Source) -> Iterator[str]:
    if source.folder != "pipeline" or source.path in CLOCK:
        return
    for line, name in imports(source):
        if name.split(".")[0] in NOT_IN_PIPELINE:
            yield f"{source.path}:{line}: pipeline imports {name}"


def imports_are_by_the_installed_name(source: Source) -> Iterator[str]:
    for line, name in imports(source):
        relative = name.startswith(".") and source.folder in PACKAGE
        if relative or name.split(".")[0] in PACKAGE:
            yield f"{source.path}:{line}: {name} is not imported as antiphon.…"


def livekit_is_used_by_its_public_names(source: Source) -> Iterator[str]:
    for line, name in imports(source):
        first, *rest = name.split(".")
        if first != "livekit" or source.path == WORKER:
            continue
        if any(part.startswith("_") for part in rest):
            yield f"{source.path}:{line}: {name} is private to livekit"
        if rest[:2] == ["agents", "voice"] and LIVEKIT_SESSION & set(rest[2:]):
            yield f"{source.path}:{line}: {name} is livekit's own session"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def files_and_functions_stay_small(source: Source) -> Iterator[str]:
    if (lines := len(source.text.splitlines())) > FILE_LINES:
        yield f"{source.path}: {lines} lines"
    for function in functions(source.tree):
        if (lines := body_lines(function)) > FUNCTION_LINES:
            yield f"{source.path}:{function.lineno}: {function.name} has {lines} lines"


def facades_only_pass_on(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ClassDef) or FACADES.get(source.path) != node.name:
            continue
        for function in functions(node):
            # A constructor of many options is long by its nature, and bounded as any function.
            if function.name != "__init__" and (lines := body_lines(function)) > FACADE_LINES:
                yield f"{source.path}:{function.lineno}: {node.name}.{function.name}: {lines} lines"


def no_task_is_loose(source: Source) -> Iterator[str]:
    allowed = TASKS_START_IN.get(source.path, set())
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and (name := named(node)) in LOOSE - allowed:
            if name == "TaskGroup" and isinstance(node.func, ast.Name):
                continue  # a group of the agent's tasks; asyncio's would be imported
            yield f"{source.path}:{node.lineno}: {name}() outside of a scope"
    for line, name in imports(source):
        if name in {f"asyncio.{loose}" for loose in LOOSE - allowed}:
            yield f"{source.path}:{line}: imports {name}"


def no_cancellation_is_swallowed(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            wide = any(kind is None or named(kind) in CANCELLED for kind in kinds)
            raised = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if wide and not raised and source.path != CANCELLATION_WAITS_IN:
                yield f"{source.path}:{node.lineno}: may swallow a cancellation"
        elif (
            isinstance(node, ast.Call)
            and named(node) == "suppress"
            and any(named(kind) in CANCELLED for kind in node.args)
        ):
            yield f"{source.path}:{node.lineno}: suppresses a cancellation"


def time_is_read_through_the_module(source: Source) -> Iterator[str]:
    for line, name in imports(source):
        if name.startswith("time."):
            yield f"{source.path}:{line}: write `import time` and time.{name[5:]}"


def the_loop_is_the_only_clock(source: Source) -> Iterator[str]:
    if source.folder not in ("pipeline", "agent") or source.path in CLOCK:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and named(node.value) == "time" and node.attr in CLOCKS:
            yield f"{source.path}:{node.lineno}: time.{node.attr} is not the loop's clock"


Rule = Callable[[Source], Iterator[str]]
RULES: list[tuple[Rule, tuple[str, ...]]] = [
    (imports_point_one_way, PACKAGE),
    (the_core_knows_no_vendor_and_no_clock, PACKAGE),
    (imports_are_by_the_installed_name, EVERYTHING),
    (livekit_is_used_by_its_public_names, PACKAGE),
    (files_and_functions_stay_small, EVERYTHING),
    (facades_only_pass_on, PACKAGE),
    (no_task_is_loose, (*PACKAGE, "samples")),
    (no_cancellation_is_swallowed, (*PACKAGE, "samples")),
    (time_is_read_through_the_module, (*PACKAGE, "samples")),
    (the_loop_is_the_only_clock, PACKAGE),
]


@functools.cache
def broken() -> dict[Rule, list[str]]:
    """What is wrong by each rule: a file is parsed once, and forgotten again."""
    found: dict[Rule, list[str]] = {rule: [] for rule, _ in RULES}
    for source in sources(EVERYTHING):
        for rule, folders in RULES:
            if source.folder in folders:
                found[rule] += rule(source)
    return found


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES], ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Rule) -> None:
    assert not broken()[rule], "\n".join(broken()[rule])


def long_function(lines: int, name: str = "f", indent: str = "") -> str:
    body = f"\n{indent}    ".join(["x = 1"] * lines)
    doc = '"""A docstring\n    of three\n    lines."""'
    return (
        f"{indent}def {name}(\n{indent}    a,\n{indent}):\n{indent}    {doc}\n{indent}    {body}\n"
    )


def facade(lines: int, method: str = "say") -> str:
    return "class AgentSession:\n" + long_function(lines, method, "    ")


CAUGHT: list[tuple[Rule, str, str]] = [
    (imports_point_one_way, "pipeline/a.py", "from antiphon.nodes.wav import open_wav"),
    (imports_point_one_way, "pipeline/a.py", "import antiphon.session"),
    (imports_point_one_way, "pipeline/a.py", "from antiphon import Agent"),
    (imports_point_one_way, "nodes/local/a.py", "from antiphon.session import AgentSession"),
    (imports_point_one_way, "nodes/a.py", "def f():\n    import antiphon"),
    (the_core_knows_no_vendor_and_no_clock, "pipeline/a.py", "from livekit import rtc"),
    (the_core_knows_no_vendor_and_no_clock, "pipeline/a.py", "import time"),
    (the_core_knows_no_vendor_and_no_clock, "pipeline/a.py", "from threading import Lock"),
    (the_core_knows_no_vendor_and_no_clock, "pipeline/a.py", "import concurrent.futures"),
    (imports_are_by_the_installed_name, "agent/a.py", "from .session import AgentSession"),
    (imports_are_by_the_installed_name, "nodes/local/a.py", "from .. import wav"),
    (imports_are_by_the_installed_name, "tests/a.py", "import agent"),
    (imports_are_by_the_installed_name, "samples/a.py", "from pipeline.clock import run"),
    (livekit_is_used_by_its_public_names, "agent/a.py", "from livekit.agents import _exceptions"),
    (livekit_is_used_by_its_public_names, "nodes/a.py", "import livekit.agents._x.y"),
    (
        livekit_is_used_by_its_public_names,
        "agent/a.py",
        "from livekit.agents.voice.agent_session import AgentSession",
    ),
    (
        livekit_is_used_by_its_public_names,
        "nodes/a.py",
        "from livekit.agents.voice import generation",
    ),
    (files_and_functions_stay_small, "agent/a.py", "x = 1\n" * 351),
    (files_and_functions_stay_small, "agent/a.py", long_function(41)),
    (files_and_functions_stay_small, "agent/a.py", "async " + long_function(41)),
    (facades_only_pass_on, "agent/session.py", facade(10)),
    (no_task_is_loose, "agent/a.py", "asyncio.create_task(f())"),
    (no_task_is_loose, "pipeline/streams.py", "asyncio.gather(f())"),
    (no_task_is_loose, "nodes/a.py", "asyncio.get_running_loop().create_task(f())"),
    (no_task_is_loose, "nodes/a.py", "async with asyncio.TaskGroup() as group:\n    pass"),
    (no_task_is_loose, "nodes/a.py", "from asyncio import wait_for as patience"),
    (no_cancellation_is_swallowed, "agent/a.py", "try:\n    f()\nexcept:\n    pass"),
    (no_cancellation_is_swallowed, "agent/a.py", "try:\n    f()\nexcept BaseException:\n    pass"),
    (
        no_cancellation_is_swallowed,
        "agent/a.py",
        "try:\n    f()\nexcept (OSError, asyncio.CancelledError):\n    pass",
    ),
    (no_cancellation_is_swallowed, "nodes/a.py", "with suppress(asyncio.CancelledError):\n    f()"),
    (time_is_read_through_the_module, "agent/a.py", "from time import time"),
    (the_loop_is_the_only_clock, "agent/a.py", "began = time.monotonic()"),
]


@pytest.mark.parametrize(("rule", "path", "text"), CAUGHT)
def test_a_file_that_breaks_a_rule_is_caught(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(parse(path, text)))) == 1


FINE: list[tuple[str, str]] = [
    ("nodes/a.py", "from antiphon.pipeline.errors import BadAudio\nfrom livekit.agents import llm"),
    (
        "agent/a.py",
        "from antiphon.nodes import wav\nfrom livekit.agents.voice import io\nimport time",
    ),
    ("agent/worker.py", "from livekit.agents import _private"),
    ("agent/a.py", "x = 1\n" * 350),
    ("agent/a.py", long_function(40)),
    ("agent/session.py", facade(9) + facade(40, "__init__")),
    ("pipeline/streams.py", "asyncio.create_task(f())"),
    ("agent/a.py", "try:\n    f()\nexcept BaseException:\n    close()\n    raise"),
    ("agent/a.py", "created_at = time.time()"),
]


@pytest.mark.parametrize(("path", "text"), FINE)
def test_a_file_that_keeps_the_rules_is_left_alone(path: str, text: str) -> None:
    assert [problem for rule, _ in RULES for problem in rule(parse(path, text))] == []


def unlisted(folders: list[Path], listed: list[str]) -> set[str]:
    """Packages of the tree that the wheel would forget, and those it lists that are not there."""
    names = {".".join(folder.parts) for folder in folders}
    names = {"antiphon" + f".{name}".removeprefix(".agent") for name in names}
    return names ^ set(listed)


def test_every_package_folder_is_in_the_wheel() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    with_code = {file.parent for folder in PACKAGE for file in (ROOT / folder).rglob("*.py")}
    assert unlisted([folder.relative_to(ROOT) for folder in with_code], setup["packages"]) == set()


def test_a_forgotten_package_folder_is_noticed() -> None:
    folders = [Path("agent"), Path("agent/beta"), Path("nodes/local")]
    listed = ["antiphon", "antiphon.beta", "antiphon.nodes.local"]
    assert unlisted(folders, listed) == set()
    assert unlisted(folders, listed[:1] + listed[2:]) == {"antiphon.beta"}
    assert unlisted(folders[:2], listed) == {"antiphon.nodes.local"}
