"""`antiphon console FILE` in a real terminal, as a user sees it there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.programs import Programs
    from tests.tmux import Pane

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
SAMPLE = Path(__file__).parents[2] / "samples" / "interruptions.py"
CONSOLE = ("-m", "antiphon", "console")
STRUCK, ITALIC = "\x1b[9", "\x1b[3"  # how a style begins that has them, among others


@pytest.mark.timeout(90)
def test_a_call_is_seen_as_it_happens_and_leaves_the_terminal_as_it_was(
    pane: Pane, tmp_path: Path
) -> None:
    caller = CALLERS / "interrupts.wav"
    pane.run(*CONSOLE, SAMPLE, "--wav", caller, "--out", "out", columns=100, rows=40)

    pane.sees(
        "antiphon  interruptions.py", "interrupts.wav", "with   pocketsphinx", "esc interrupt"
    )
    pane.until(lambda seen: ITALIC in seen and "i would" in seen, styled=True)  # it may yet change
    pane.sees("user   i would like to hear your story", "━━━", "agent  Here is one.")
    pane.sees("● agent speaking")
    pane.until(lambda seen: STRUCK in seen, styled=True)
    left = pane.sees("status 0")

    assert "agent  It is" in left
    assert "the record is in out: conversation.wav, transcript.json, timeline.jsonl\n" in left
    assert pane.restored


BLOCKS = """
import logging, subprocess, time

class Blocks(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        os.write(2, b"from C\\n")
        subprocess.run(["echo", "from a child"])
        logging.getLogger("its").warning("from a log")
        yield "Now. "
        await asyncio.sleep(2)
        open("blocked", "w").close()
        time.sleep(1000)
await AgentSession().start(Blocks(instructions=""))
"""


@pytest.mark.timeout(60)
def test_control_c_restores_the_terminal_of_a_program_that_blocks_its_loop(
    pane: Pane, programs: Programs, tmp_path: Path
) -> None:
    pane.run(*CONSOLE, programs.entry(BLOCKS), "--text", "--out", "out")
    pane.sees("type to the agent", "○ agent listening")
    pane.keys("block", "Enter")
    pane.sees("out    from C", "from a child", "WARNING its: from a log", "agent  Now.")
    pane.until(lambda _: (tmp_path / "blocked").exists())
    pane.keys("C-c")

    left = pane.sees("status 130")
    assert pane.restored
    assert "agent  Now." in left
    assert "the record is in out: transcript.json, timeline.jsonl\n" in left
    assert json.loads((tmp_path / "out" / "transcript.json").read_text())


@pytest.mark.timeout(60)
def test_control_c_ends_a_call_in_order_with_a_line_that_says_where_its_record_is(
    pane: Pane, programs: Programs, tmp_path: Path
) -> None:
    echo = programs.entry("await AgentSession().start(Echo())")
    pane.run(*CONSOLE, echo, "--text", "--out", "out")
    pane.sees("○ agent listening")
    pane.keys("hello", "Enter")
    pane.sees("agent  You said hello.")
    pane.keys("C-c")

    left = pane.sees("status 130")
    assert pane.restored
    assert "agent  You said hello." in left
    assert "the record is in out: transcript.json, timeline.jsonl\n" in left
    assert "session_closed" in (tmp_path / "out" / "timeline.jsonl").read_text()


COUNTS = """
await AgentSession().start(Echo())
open("pid", "w").write(str(os.getpid()))
for number in range(10**6):
    print(f"number {number}.")
    await asyncio.sleep(0.01)
"""


@pytest.mark.timeout(120)
def test_a_screen_that_is_stopped_while_it_draws_gives_the_terminal_back_and_comes_again_whole(
    pane: Pane, programs: Programs, tmp_path: Path
) -> None:
    pane.run(*CONSOLE, programs.entry(COUNTS), "--text")
    pane.sees("number", "○ agent listening", "esc interrupt")
    process = psutil.Process(int((tmp_path / "pid").read_text()))
    threads = process.num_threads()
    for _ in range(10):
        pane.keys("C-z")
        pane.until(lambda picture: "esc interrupt" not in picture)
        process.resume()
        pane.sees("antiphon  program.py", "number", "○ agent listening", "esc interrupt")
    assert process.num_threads() == threads
    pane.keys("C-q")
    pane.sees("status 0")
    assert pane.restored


@pytest.mark.timeout(60)
def test_plain_lines_are_one_option_away(pane: Pane, programs: Programs) -> None:
    pane.run(*CONSOLE, programs.entry("await AgentSession().start(Echo())"), "--text", "--plain")
    pane.until(lambda picture: picture.startswith(">"))
    pane.keys("hello", "Enter")
    pane.sees("> hello", "agent  You said hello.")
    pane.keys("C-d")
    pane.sees("status 0")
