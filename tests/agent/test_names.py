"""Every public name of LiveKit Agents is here, or the README says why it is not.

The table "Not here, and why" is read both ways: a row about a name that is here fails too.
"""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from livekit import agents as livekit
from typing_extensions import is_typeddict

import antiphon
from antiphon import deprecated

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
TITLE = "## Not here, and why"

# Where programs import from; a module that says what is public in `__all__` is counted by that.
MODULES = (
    "beta beta.tools beta.tools.end_call beta.tools.send_dtmf beta.toolsets "
    "beta.toolsets.tool_proxy beta.toolsets.tool_search beta.translation "
    "beta.workflows beta.workflows.address "
    "beta.workflows.credit_card beta.workflows.dob beta.workflows.dtmf_inputs "
    "beta.workflows.email_address beta.workflows.name beta.workflows.phone_number "
    "beta.workflows.task_group beta.workflows.utils beta.workflows.warm_transfer "
    "cli evals inference ipc job "
    "language llm llm.async_toolset llm.chat_context llm.fallback_adapter llm.llm llm.mcp "
    "llm.realtime llm.tool_context llm.utils log metrics metrics.base metrics.usage_collector "
    "metrics.utils plugin stt.stream_adapter tts.stream_adapter tts.stream_pacer "
    "tokenize.token_stream tokenize.tokenizer voice.transcription.synchronizer "
    "simulation stt stt.stt telemetry testing tokenize tokenize.basic tokenize.blingfire "
    "tts tts.tts types utils utils.aio "
    "utils.audio utils.codecs utils.env utils.http_context utils.images utils.misc "
    "utils.participant vad voice voice.agent voice.agent_session voice.amd voice.avatar "
    "voice.background_audio voice.events voice.io voice.keyterm_detection voice.room_io "
    "voice.run_result voice.speech_handle voice.transcription voice.transcription.filters "
    "voice.turn worker"
).split()
# Documented, and in no `__all__`.
DOCUMENTED = {
    "": "NonverbalOptions mcp",
    "beta.tools.end_call": "EndCallTool",
    "beta.tools.send_dtmf": "send_dtmf_events",
    "beta.toolsets.tool_proxy": "ToolProxyToolset",
    "beta.toolsets.tool_search": "ToolSearchToolset SearchItem SearchStrategy",
    "beta.workflows.address": "GetAddressTask GetAddressResult",
    "beta.workflows.credit_card": "GetCreditCardTask GetCreditCardResult GetCardNumberTask",
    "beta.workflows.dob": "GetDOBTask GetDOBResult",
    "beta.workflows.dtmf_inputs": "GetDtmfTask GetDtmfResult",
    "beta.workflows.email_address": "GetEmailTask GetEmailResult",
    "beta.workflows.name": "GetNameTask GetNameResult",
    "beta.workflows.phone_number": "GetPhoneNumberTask GetPhoneNumberResult",
    "beta.workflows.task_group": "TaskGroup TaskGroupResult TaskCompletedEvent",
    "beta.workflows.utils": "DtmfEvent WorkflowInstructions dtmf_event_to_code format_dtmf",
    "beta.workflows.warm_transfer": "WarmTransferTask WarmTransferResult",
    "stt.stream_adapter": "StreamAdapter",
    "tts.stream_adapter": "StreamAdapter",
    "tts.stream_pacer": "SentenceStreamPacer",
    "tokenize.tokenizer": "SentenceTokenizer WordTokenizer",
    "tokenize.token_stream": "BufferedSentenceStream BufferedWordStream",
    "metrics.usage_collector": "UsageCollector UsageSummary",
    "metrics.utils": "log_metrics",
    "voice.transcription.synchronizer": "TranscriptSynchronizer",
    "llm.tool_context": "function_tool ToolFlag Toolset RawFunctionTool",
    "llm.mcp": "MCPServerHTTP MCPServerStdio MCPToolset MCPToolOptions",
    "llm.async_toolset": "AsyncToolset",
    "voice": "SpeechHandle VoiceActivityVideoSampler",
    "voice.agent": "Agent AgentTask ModelSettings",
    "voice.agent_session": "AgentSession SessionConnectOptions VoiceActivityVideoSampler",
    "voice.events": "RunContext SpeechCreatedEvent FunctionToolsExecutedEvent AgentState UserState",
    "voice.speech_handle": "SpeechHandle",
    "worker": "AgentServer ServerOptions WorkerOptions WorkerPermissions WorkerType",
    "job": "JobContext JobProcess JobRequest AutoSubscribe get_job_context",
}
CLASSES = ("AgentSession", "Agent", "AgentTask", "SpeechHandle", "RunContext")
OLD = {
    "AgentSession.__init__": deprecated.OldSessionArguments,
    "AgentSession.start": deprecated.OldStartArguments,
    "AgentSession.update_options": deprecated.OldUpdateArguments,
    "Agent.__init__": deprecated.OldAgentArguments,
}


def rows() -> set[str]:
    """What the README's table names as not here."""
    after = (ROOT / "README.md").read_text("utf-8").split(TITLE, 1)[1].split("\n## ", 1)[0]
    lines = [line for line in after.splitlines() if line.startswith("|")][2:]
    assert all(line.count("|") == 3 and line.split("|")[2].strip() for line in lines)
    return {name for line in lines for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


def module(package: str, path: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"{package}.{path}" if path else package)
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{path}":
            raise
        return None


def public(path: str) -> list[str]:
    """LiveKit's public names of one module."""
    theirs = module("livekit.agents", path)
    assert theirs is not None, path
    names = [*getattr(theirs, "__all__", ()), *DOCUMENTED.get(path, "").split()]
    return [name for name in names if name == "__version__" or not name.startswith("_")]


def excused(path: str, name: str, known: set[str]) -> bool:
    """A row names it: by itself, by its module's name, or with a whole module."""
    parts = path.split(".") if path else []
    wholes = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return bool(known & {name, ".".join((*parts, name)), *wholes})


@pytest.mark.parametrize("path", ["", *MODULES])
def test_every_public_name_of_livekit_is_here_or_a_row_says_why(path: str) -> None:
    ours, known = module("antiphon", path), rows()
    missing = [
        name
        for name in public(path)
        if not (ours is not None and hasattr(ours, name)) and not excused(path, name, known)
    ]
    assert missing == []


def attributes(owner: type) -> set[str]:
    """Members that are not LiveKit's own: of the class, and what its constructor sets."""
    bases = [kind for kind in owner.__mro__ if not kind.__module__.startswith("livekit.agents")]
    ours = [inspect.getsource(kind) for kind in bases if kind.__module__.startswith("antiphon")]
    lines = [
        line.split(" = ")[0] for source in ours for line in source.splitlines() if " = " in line
    ]
    set_there = {name for line in lines for name in re.findall(r"self\.(\w+)", line)}
    return set_there | {name for kind in bases for name in vars(kind)}


def members(name: str) -> set[str]:
    """The public members of one of LiveKit's classes that are its own."""
    owner = getattr(livekit, name, None) or getattr(livekit.voice, name)
    bases = [kind for kind in owner.__mro__ if kind.__module__.startswith("livekit.agents")]
    return {member for kind in bases for member in vars(kind) if not member.startswith("_")}


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_member_of_livekits_classes_is_here_or_a_row_says_why(name: str) -> None:
    known = rows()
    missing = {m for m in members(name) if f"{name}.{m}" not in known}
    missing -= {m for m in members(name) if f"Agent.{m}" in known and name == "AgentTask"}
    assert missing - attributes(getattr(antiphon, name)) == set()


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_of_livekits_methods_is_taken_or_a_row_says_why(name: str) -> None:
    theirs = getattr(livekit, name, None) or getattr(livekit.voice, name)
    ours, known = getattr(antiphon, name), rows()
    constructed = {"__init__"} if name in ("AgentSession", "Agent") else set()
    for member in (members(name) | constructed) & attributes(ours):
        method = getattr(ours, member, None)
        if not (inspect.isfunction(getattr(theirs, member)) and inspect.isfunction(method)):
            continue
        old = OLD.get(f"{name}.{member}")
        taken = parameters(method) | set(old.__annotations__ if old else ())
        wanted = parameters(getattr(theirs, member)) - {"arg"}  # rtc.EventEmitter's own way
        missing = {p for p in wanted - taken if f"{name}.{member}({p})" not in known}
        assert missing == set(), f"{name}.{member}"


def test_no_row_is_about_a_name_that_is_here() -> None:
    here = []
    for row in rows():
        if "(" in row:
            member, argument = row.rstrip(")").split("(")
            owner, method = member.split(".")
            if argument in parameters(getattr(getattr(antiphon, owner), method)):
                here.append(row)
            continue
        owner, _, member = row.rpartition(".")
        if owner in CLASSES:
            found = member in attributes(getattr(antiphon, owner))
        else:
            place = module("antiphon", owner)
            found = place is not None and hasattr(place, member) or _is_module(row)
        if found:
            here.append(row)
    assert here == []


def _is_module(path: str) -> bool:
    return path in MODULES and module("antiphon", path) is not None


def test_every_row_is_about_a_name_that_livekit_has() -> None:
    named = {name for path in ("", *MODULES) for name in public(path)}
    named |= {f"{p}.{n}" for p in MODULES for n in public(p)} | {*MODULES}
    named |= {f"{name}.{member}" for name in CLASSES for member in members(name)}
    assert {row for row in rows() if row.split("(")[0] not in named} == set()


# What of LiveKit's own session is only a dictionary or a record, and runs nothing of it.
ONLY_DATA = {"ModelSettings", "VoiceActivityVideoSampler"}
# The events of a run, and assertions that look at nothing else.
ONLY_DATA |= {"ChatMessageEvent", "FunctionCallEvent", "FunctionCallOutputEvent"}
ONLY_DATA |= {"ChatMessageAssert", "FunctionCallAssert", "FunctionCallOutputAssert"}
SESSION = {
    f"livekit.agents.voice.{part}"
    for part in (
        "agent agent_activity agent_session audio_recognition generation ivr remote_session "
        "room_io.room_io run_result speech_handle tool_executor amd.detector"
    ).split()
} | {"livekit.agents.llm.async_toolset", "livekit.agents.beta.translation.translation_session"}


@pytest.mark.parametrize("path", ["", *MODULES])
def test_nothing_that_runs_livekits_session_is_given_out(path: str) -> None:
    ours = module("antiphon", path)
    given = {} if ours is None else vars(ours)
    inside = [
        name
        for name, value in given.items()
        if not name.startswith("_") and getattr(value, "__module__", None) in SESSION
        if not is_typeddict(value) and name not in ONLY_DATA
    ]
    assert inside == []
    assert given.get("RunContext") is not livekit.RunContext


def test_what_users_know_by_two_paths_is_one_thing() -> None:
    from antiphon.llm import function_tool
    from antiphon.llm.tool_context import function_tool as by_its_file
    from antiphon.voice import Agent, AgentSession, RunContext
    from antiphon.voice.agent_session import AgentSession as session_by_its_file
    from antiphon.voice.events import RunContext as by_events

    assert antiphon.function_tool is function_tool is by_its_file
    assert antiphon.Agent is Agent
    assert antiphon.AgentSession is AgentSession is session_by_its_file
    assert antiphon.RunContext is RunContext is by_events


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert antiphon.__version__ == project["version"]
