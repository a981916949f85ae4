"""How a call at a console ends when something ends it: the status, one line, and the record."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.programs import Programs, Ran

ECHO = "await AgentSession().start(Echo())"


def broken(answer: str, more: str = "") -> str:
    """An entry point whose agent answers with `answer`, the body of its `llm_node`."""
    return f"""
class Broken(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        {answer}
        yield
session = AgentSession()
await session.start(Broken(instructions=""))
{more}
"""


def typed(programs: Programs, body: str, *lines: str) -> Ran:
    text = "\n".join((*lines, ""))
    return programs.console(programs.entry(body), "--text", "--fast", stdin=text)


def test_a_call_in_which_every_reply_failed_has_failed(programs: Programs) -> None:
    ran = typed(programs, broken('raise RuntimeError("broke")'), "one", "two")

    assert ran.status == 1
    said = "llm: RuntimeError: broke (program.py:24)"
    assert f"  error  {said}\n" in ran.out
    assert ran.err == f"antiphon: no reply came through; the last error was {said}\n"


def test_a_greeting_does_not_make_up_for_answers_that_failed(programs: Programs) -> None:
    greets = broken('raise RuntimeError("broke")', "session.say('Welcome here.')")
    ran = typed(programs, greets, "one")
    assert ran.transcript[0]["text"] == "Welcome here."
    assert ran.status == 1


def test_one_answer_that_came_through_is_enough(programs: Programs) -> None:
    sometimes = """
if chat_ctx.messages()[-1].text_content == "one":
            raise RuntimeError("broke")
        yield "Fine."
        return
"""
    assert typed(programs, broken(sometimes.strip()), "one", "two").status == 0


def test_an_answer_without_words_is_not_silent_about_it(programs: Programs) -> None:
    ran = typed(programs, broken('yield ""; return'), "one")
    said = "llm_node gave no words and no tool call: nothing is said"
    assert ran.err == f"  WARNING antiphon.llm: {said}\n"
    assert ran.status == 0


def test_a_program_that_ends_itself_in_a_node_leaves_its_status_and_its_record(
    programs: Programs,
) -> None:
    ran = typed(programs, broken('yield "Half."\n        sys.exit(5)'), "one", "never")

    assert ran.status == 5
    assert ran.err == "antiphon: the program ended itself, exit 5 (program.py:25)\n"
    assert ran.transcript[0]["text"] == "one"
    assert ran.kinds("session_closed")


def test_a_program_that_ends_itself_again_and_again_ends_once(programs: Programs) -> None:
    body = """
    async def leave():
        await asyncio.sleep(1)
        try:
            sys.exit(5)
        finally:
            ctx.more = [asyncio.create_task(leave()) for _ in range(2)]
    await AgentSession().start(Echo())
    await leave()
    """
    ran = typed(programs, body, *["one"] * 20)
    assert (ran.status, len(ran.err.splitlines())) == (5, 1)
    assert ran.kinds("session_closed")


def test_an_error_in_a_callback_names_its_line(programs: Programs) -> None:
    body = "session = AgentSession()\nsession.on('close', lambda _: 1 / 0)\n"
    ran = typed(programs, body + "await session.start(Echo())", "one")
    assert "ZeroDivisionError: division by zero (program.py:22)\n" in ran.err


LEAVING = [("sys.exit()", 0, ""), ("sys.exit('enough')", 1, "the program ended itself: enough")]


@pytest.mark.parametrize(("leave", "status", "said"), LEAVING)
def test_a_program_that_ends_itself_in_its_entry_point_leaves_its_record(
    programs: Programs, leave: str, status: int, said: str
) -> None:
    ran = typed(programs, f"{ECHO}\nawait asyncio.sleep(1)\n{leave}", *["one"] * 20)
    assert ran.status == status
    assert said in ran.err
    assert len(ran.err.splitlines()) == (1 if said else 0)
    assert ran.kinds("session_closed")


def test_an_entry_point_that_is_not_async_is_named(programs: Programs) -> None:
    program = programs.entry("AgentSession()")
    program.write_text(program.read_text().replace("async def entrypoint", "def entrypoint"))
    ran = programs.console(program, "--text", "--fast")
    assert ran.err == "antiphon: entrypoint must be `async def` (program.py:19)\n"


@pytest.mark.parametrize("hook", ["on_enter", "on_exit"])
def test_a_hook_that_is_not_async_is_named(programs: Programs, hook: str) -> None:
    body = f"""
    class Sync(Echo):
        def {hook}(self, *_):
            pass
    await AgentSession().start(Sync())
    """
    ran = typed(programs, body, "one")
    assert f"entrypoint.<locals>.Sync.{hook} must be `async def` (program.py:23)" in ran.out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_call_that_is_asked_to_end_leaves_its_record(
    programs: Programs, number: int, status: int
) -> None:
    stops = f'yield "One. "\n        signal.raise_signal({number})\n        await asyncio.sleep(99)'
    ran = typed(programs, broken(stops), "go on", "never")

    assert ran.status == status
    assert [line["text"] for line in ran.transcript] == ["go on", "One."]
    assert ran.kinds("session_closed")
    assert ran.err.startswith("antiphon: ")
    assert len(ran.err.splitlines()) == 1


def test_signals_do_what_they_did_when_the_call_is_over(programs: Programs) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    typed(programs, ECHO, "one")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


STARTING = {
    "while the package is imported": "",
    "while the program is loaded": "import antiphon\n",
}


@pytest.mark.parametrize("moment", STARTING)
def test_control_c_at_the_start_is_one_line(moment: str, tmp_path: Path) -> None:
    """The signal comes when `livekit`, which the import needs, or the program is executed."""
    folder = tmp_path / "livekit" if not STARTING[moment] else tmp_path
    folder.mkdir(exist_ok=True)
    strike = "import signal\nsignal.raise_signal(signal.SIGINT)\n"
    (folder / ("agents.py" if not STARTING[moment] else "program.py")).write_text(strike)
    (folder / "__init__.py").touch()
    ran = subprocess.run(
        [sys.executable, "-m", "antiphon", "console", str(tmp_path / "program.py"), "--text"],
        env={"PYTHONPATH": ":".join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (130, "\nantiphon: interrupted\n")


def test_a_job_in_a_process_of_its_own_is_told_by_its_parent_what_a_signal_means(
    tmp_path: Path,
) -> None:
    spawned = """
import multiprocessing, signal, sys

def meant(answers):
    import antiphon
    answers.put(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

if __name__ == "__main__":
    sys.argv = ["antiphon", "start"]
    spawning = multiprocessing.get_context("spawn")
    answers = spawning.Queue()
    job = spawning.Process(target=meant, args=(answers,))
    job.start()
    print(answers.get())
    job.join()
"""
    program = tmp_path / "parent.py"
    program.write_text(spawned)
    command = [sys.executable, str(program)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_a_second_control_c_ends_it_at_once(programs: Programs) -> None:
    twice = "for _ in range(2):\n            signal.raise_signal(signal.SIGINT)"
    program = programs.entry(broken(twice))
    ran = subprocess.run(
        [sys.executable, "-m", "antiphon", "console", str(program), "--text"],
        env={"PYTHONPATH": ":".join(sys.path)},
        input="one\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (130, "\nantiphon: interrupted\n")
