"""What is wrong is said in one line on standard error, with no traceback, and the status tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from antiphon import cli
from antiphon.nodes.local import stt, tts
from antiphon.pipeline.errors import NodeUnavailable
from antiphon.program import blame

if TYPE_CHECKING:
    from tests.programs import Programs, Ran

HELLO = Path(__file__).parents[2] / "samples" / "callers" / "hello.wav"
ECHO = "await AgentSession().start(Echo())"


def complaint(ran: Ran) -> str:
    """The one line."""
    assert ran.status == 1
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("antiphon: ")
    return lines[0].removeprefix("antiphon: ")


def test_a_program_that_is_not_there(programs: Programs) -> None:
    missing = programs.folder / "missing.py"
    assert complaint(programs.console(missing, "--text")) == f"there is no file {missing}"


@pytest.mark.parametrize(
    ("line", "brings"),
    [
        ("from livekit.plugins import nobodys_own", "livekit-plugins-nobodys-own"),
        ("from livekit.plugins.nobodys import LLM", "livekit-plugins-nobodys"),
        ("from livekit.plugins.openai_nowhere import LLM", "livekit-plugins-openai-nowhere"),
    ],
)
def test_a_plugin_that_is_not_installed_is_named_with_the_command_that_brings_it(
    programs: Programs, line: str, brings: str
) -> None:
    ran = programs.console(programs.write(line), "--text")
    assert "; bring it with: " in ran.err
    assert ran.err.rstrip().endswith(f'pip install "{brings}" (program.py:1)')


def test_a_plugin_with_an_extra_is_brought_by_it() -> None:
    error = ImportError(
        "cannot import name 'openai' from 'livekit.plugins'", name="livekit.plugins"
    )
    assert 'pip install "antiphon[openai]"' in blame(error, Path("program.py"))


def test_a_folder_is_no_program(programs: Programs) -> None:
    assert "is a folder; name the Python file" in complaint(
        programs.console(programs.folder, "--text")
    )


def test_a_file_of_another_kind_is_no_program(programs: Programs) -> None:
    other = programs.write("hello", "notes.txt")
    assert "its name must end in .py" in complaint(programs.console(other, "--text"))


def test_a_syntax_error_names_its_line(programs: Programs) -> None:
    bad = programs.write("x = 1\ndef f(:\n    pass\n")
    said = complaint(programs.console(bad, "--text"))
    assert said == f"{bad}:2: SyntaxError: invalid syntax"


LOADING = [
    ("import not_there", "ModuleNotFoundError: No module named 'not_there' (program.py:1)"),
    ("\n\n1 / 0", "ZeroDivisionError: division by zero (program.py:3)"),
    ("x = 1\nraise SystemExit(3)", "program.py:2: the program ended itself (exit 3)"),
    ("server = 1", "program.py has no AgentServer: write server = AgentServer()"),
    ("entry = 1", "or let it begin itself, with python program.py console"),
    (
        "from antiphon import AgentServer\na = AgentServer()\nb = AgentServer()",
        "program.py has 2 AgentServers, a and b; keep one",
    ),
    (
        "from antiphon import AgentServer\na = AgentServer()",
        "the AgentServer has no entry point: decorate an async function",
    ),
    (
        "from livekit.agents import AgentServer, AgentSession",
        "program.py imports AgentSession from livekit.agents, which needs a room: write `from",
    ),
]


@pytest.mark.parametrize(("text", "said"), LOADING)
def test_a_program_that_cannot_be_used_says_why(programs: Programs, text: str, said: str) -> None:
    assert said in complaint(programs.console(programs.write(text), "--text"))


def test_one_server_by_two_names_is_one(programs: Programs) -> None:
    program = programs.entry(ECHO)
    program.write_text(program.read_text() + "\n\nagain = server\n")
    assert programs.console(program, "--text", "--fast").status == 0


def test_a_program_that_runs_itself_when_loaded_is_run_once(programs: Programs) -> None:
    program = programs.entry(ECHO)
    program.write_text(program.read_text() + "\n\ncli.run_app(server)\n")
    ran = programs.console(program, "--text", "--fast", stdin="one\n")
    assert (ran.status, len(ran.transcript)) == (0, 2)


ENTERING = [
    ("raise ValueError('no luck')", "the entry point failed: ValueError: no luck (program.py:21)"),
    ("raise KeyError", "the entry point failed: KeyError (program.py:21)"),
    ("int('x')", "the entry point failed: ValueError: invalid literal"),
    ("AgentSession(stt='nonsense')", "stt='nonsense' names no model: write"),
    ("AgentSession(tts='local/hal')", "no built-in tts is called 'local/hal'; there is: "),
    ("AgentSession(vad='silero')", "vad='silero': the built-in one is \"local/webrtcvad\""),
    (
        "AgentSession(llm='openai/gpt-4.1-mini')",
        "llm='openai/gpt-4.1-mini' goes through LiveKit Inference, and LIVEKIT_API_KEY and "
        "LIVEKIT_API_SECRET are not set in the environment; `antiphon console --local`",
    ),
    ("return", "the entry point has returned and started no session"),
    ("await asyncio.Event().wait()", "the entry point started no session within 300 s"),
]


@pytest.mark.parametrize(("body", "said"), ENTERING)
def test_an_entry_point_that_fails_says_where(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    for name in ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_INFERENCE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert said in complaint(programs.console(programs.entry(body), "--text", "--fast"))


def test_a_model_that_takes_minutes_to_load_does_not_end_the_call(programs: Programs) -> None:
    ran = programs.console(
        programs.entry(f"await asyncio.sleep(200)\n{ECHO}"), "--text", "--fast", stdin="one\n"
    )
    assert (ran.status, len(ran.transcript)) == (0, 2)


def test_a_model_that_blocks_everything_while_it_loads_is_spoken_of(programs: Programs) -> None:
    body = f"import time\ntime.sleep(2.5)\n{ECHO}"
    ran = programs.console(programs.entry(body), "--text", stdin="one\n")
    assert (
        "  wait   for the program to start its session; engines and models may load (2 s)"
        in ran.out
    )


def test_debug_shows_the_traceback(programs: Programs) -> None:
    program = programs.entry("raise ValueError('no luck')")
    ran = programs.console(program, "--text", "--fast", "--debug")
    assert 'program.py", line 21, in entrypoint' in ran.err
    assert ran.err.splitlines()[-1].startswith("antiphon: the entry point failed")


def test_an_entry_point_that_fails_in_the_call_ends_it_with_its_record(programs: Programs) -> None:
    body = f"{ECHO}\nawait asyncio.sleep(1)\nraise ValueError('no luck')"
    stdin = "\n".join(["one"] * 20)
    ran = programs.console(programs.entry(body), "--text", "--fast", stdin=stdin)
    assert "the entry point failed: ValueError: no luck (program.py:23)" in complaint(ran)
    assert ran.transcript
    assert ran.kinds("session_closed")


def test_a_setup_function_that_fails_is_named(programs: Programs) -> None:
    program = programs.entry(ECHO)
    text = program.read_text() + "\n\ndef warm(proc):\n    1 / 0\n\n\nserver.setup_fnc = warm\n"
    program.write_text(text)
    said = complaint(programs.console(program, "--text", "--fast"))
    assert "failed in setup_fnc: ZeroDivisionError: division by zero (program.py:2" in said


BAD_NODES = [
    ('yield "Half. "\n        raise RuntimeError("broke")', "broke"),
    ("yield 1", "int"),
]


@pytest.mark.parametrize(("node", "said"), BAD_NODES)
def test_a_node_that_fails_is_one_line_and_the_call_goes_on(
    programs: Programs, node: str, said: str
) -> None:
    body = f"""
class Bad(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        if chat_ctx.messages()[-1].text_content == "two":
            yield "Fine."
            return
        {node}
await AgentSession().start(Bad(instructions=""))
"""
    ran = programs.console(programs.entry(body), "--text", "--fast", stdin="one\ntwo\n")
    (error,) = [line for line in ran.out.splitlines() if line.startswith("  error  ")]
    assert said in error
    assert (ran.status, ran.err) == (0, "")
    assert ran.transcript[-1]["text"] == "Fine."


def test_errors_that_end_the_session_end_the_call_with_status_1(programs: Programs) -> None:
    body = """
    class Broken(Agent):
        async def llm_node(self, chat_ctx, tools, model_settings):
            raise RuntimeError("broke")
            yield
    await AgentSession().start(Broken(instructions=""))
    """
    stdin = "one\ntwo\nthree\nfour\nfive\nsix\n"
    ran = programs.console(programs.entry(body), "--text", "--fast", stdin=stdin)
    assert complaint(ran) == (
        "the session was closed by an error: llm: RuntimeError: broke (program.py:24)"
    )
    assert [line["text"] for line in ran.transcript] == ["one", "two", "three", "four"]


def test_fast_refuses_a_network_model_by_name(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.setenv(name, "a" * 40)
    body = "await AgentSession(llm='openai/gpt-4.1-mini').start(Agent(instructions=''))"
    said = complaint(programs.console(programs.entry(body), "--text", "--fast"))
    assert said.startswith("--fast needs engines on this machine, and llm is openai/gpt-4.1-mini (")
    assert "add --local" in said


def test_a_recording_that_cannot_be_read_stops_it_before_the_program(programs: Programs) -> None:
    empty = programs.folder / "empty.wav"
    empty.write_bytes(b"")
    program = programs.write("raise AssertionError")
    assert complaint(programs.console(program, "--wav", empty)) == f"{empty} is empty"
    short = programs.folder / "short.wav"
    short.write_bytes(HELLO.read_bytes()[:30])
    assert "ends before its sound begins" in complaint(programs.console(program, "--wav", short))


def test_a_record_needs_a_folder(programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    program = programs.entry(ECHO)
    assert cli.run(["console", str(program), "--text", "--out", str(program)]) == 1
    assert capsys.readouterr().err == f"antiphon: --out {program} is a file; name a folder\n"


def test_a_written_call_does_not_delete_the_sound_of_an_earlier_one(programs: Programs) -> None:
    (programs.folder / "out").mkdir()
    earlier = programs.folder / "out" / "conversation.wav"
    earlier.write_bytes(b"sound")
    said = complaint(programs.console(programs.entry(ECHO), "--text", "--fast"))
    assert "has the sound of an earlier call" in said
    assert earlier.read_bytes() == b"sound"
    assert not (programs.folder / "out" / "timeline.jsonl").exists()


MISSING = [
    ("AgentSession()", "stt", "nobody hears the caller"),
    ("AgentSession(stt='local/', tts='local/')", "llm", "nobody answers the caller"),
    ("AgentSession(stt='local/', llm='local/')", "tts", "the agent writes and is not heard"),
]


@pytest.mark.parametrize(("session", "slot", "said"), MISSING)
def test_a_session_that_lacks_a_model_says_so(
    programs: Programs, session: str, slot: str, said: str
) -> None:
    body = f"await {session}.start(Agent(instructions=''), room=ctx.room)\nctx.shutdown()"
    ran = programs.console(programs.entry(body), "--wav", HELLO, "--fast")
    advice = f"pass {slot}= to AgentSession or override {slot}_node"
    assert f"  note   no {slot}: {said}; {advice}\n" in ran.out


def test_a_node_of_ones_own_is_not_missed(programs: Programs) -> None:
    ran = programs.console(programs.entry(ECHO), "--text", "--fast", stdin="one\n")
    assert "  note   " not in ran.out


@pytest.mark.parametrize("options", [[], ["--local"]])
def test_in_writing_no_engine_of_sound_is_missed(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise NodeUnavailable("it is not installed")

    monkeypatch.setattr(stt, "available", missing)
    monkeypatch.setattr(tts, "TTS", missing)
    body = "session = AgentSession(stt='local/', llm='local/', tts='local/')\n"
    body += "await session.start(Agent(instructions=''), room=ctx.room)"
    ran = programs.console(programs.entry(body), "--text", "--fast", *options, stdin="hello\n")
    assert ran.status == 0, ran.err
    spoken = programs.console(programs.entry(body), "--wav", HELLO, "--fast", *options)
    assert "it is not installed" in complaint(spoken)
