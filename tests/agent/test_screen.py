"""The console's screen: what is on it while a real session is held, and what its keys do."""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from antiphon.line import Line
from antiphon.nodes.console import Wanted
from antiphon.nodes.wav import read_wav
from antiphon.screen_turns import Who
from tests.screens import Sitting, sit

if TYPE_CHECKING:
    from tests import sound_card as virtual
    from tests.programs import Programs

pytestmark = pytest.mark.realtime

CALLERS = Path(__file__).parents[2] / "samples" / "callers"
SAMPLE = Path(__file__).parents[2] / "samples" / "interruptions.py"
ECHO = "await AgentSession().start(Echo())"
THINKER = """
class Thinker(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        await asyncio.sleep(0.25)
        yield "Well."
await AgentSession().start(Thinker(instructions=""))
"""
ENDLESS = """
class Endless(Agent):
    async def llm_node(self, chat_ctx, tools, model_settings):
        yield "It begins. "
        await asyncio.Event().wait()
await AgentSession().start(Endless(instructions=""))
"""


async def test_a_line_that_is_typed_is_a_turn_of_the_users(programs: Programs) -> None:
    async def act(user: Sitting) -> None:
        await user.write("good morning")
        await user.sees("user   good morning", "agent  You said good morning.")

    ending, _ = await sit(programs.entry(ECHO), act)
    assert ending.status == 0


async def test_below_a_line_that_was_typed_is_a_bar_of_its_delay(programs: Programs) -> None:
    async def act(user: Sitting) -> None:
        await user.write("good morning")
        await user.sees("user   good morning", "━", "first token 0.", "agent  Well.")
        rows = user.picture().splitlines()
        places = [
            next(n for n, row in enumerate(rows) if text in row)
            for text in ("good morning", "━", "first token 0.", "Well.")
        ]
        assert places == sorted(places)

    await sit(programs.entry(THINKER), act)


async def test_a_line_typed_before_comes_back_with_the_up_key(programs: Programs) -> None:
    async def act(user: Sitting) -> None:
        await user.write("one")
        await user.sees("You said one.")
        await user.press("up", "2", "enter")
        await user.sees("You said one2.")

    ending, _ = await sit(programs.entry(ECHO), act, leave="ctrl+d")  # at the end of nothing
    assert ending.status == 0


async def test_all_of_what_is_pasted_is_one_turn_and_so_is_what_was_typed_too_early(
    programs: Programs,
) -> None:
    async def act(user: Sitting) -> None:
        await user.write("one two\n\tthree")
        await user.sees("You said one two three.")
        await user.press("4", "ctrl+j")  # as a terminal keeps Enter that nobody has read yet
        await user.sees("You said 4.")

    await sit(programs.entry(ECHO), act)


async def test_what_is_typed_before_there_is_a_session_waits_for_it(programs: Programs) -> None:
    slow = f"print('loading')\nwhile not os.path.exists('go'): await asyncio.sleep(0.01)\n{ECHO}"
    program = programs.entry(slow.replace("'go'", repr(str(programs.folder / "go"))))

    async def act(user: Sitting) -> None:
        await user.write("one")
        await user.sees("wait   for the program to start its session")
        await user.write("two")
        (programs.folder / "go").touch()
        await user.sees("You said two.")

    await sit(program, act, out=programs.folder / "out", ready=False)
    said = json.loads((programs.folder / "out" / "transcript.json").read_text())
    assert [line["text"] for line in said if line["speaker"] == "user"] == ["one", "two"]


async def test_a_program_that_reads_what_is_typed_does_not_take_it_from_the_screen(
    programs: Programs,
) -> None:
    reads = "print('read', [sys.stdin.readline()])\n" + ECHO
    stdin = sys.stdin

    async def act(user: Sitting) -> None:
        await user.sees("read ['']", "note   the program reads what is typed", "--plain")

    await sit(programs.entry(reads), act)
    assert sys.stdin is stdin


async def test_the_escape_key_interrupts_the_agent(programs: Programs, tmp_path: Path) -> None:
    async def act(user: Sitting) -> None:
        await user.write("go")
        await user.sees("agent  It begins.", "● agent speaking")
        await user.press("escape")
        await user.sees("○ agent listening")

    await sit(programs.entry(ENDLESS), act, out=tmp_path / "out")
    (_, said) = json.loads((tmp_path / "out" / "transcript.json").read_text())
    assert (said["text"], said["interrupted"]) == ("It begins.", True)


async def test_what_may_not_be_interrupted_says_so(programs: Programs) -> None:
    whole = """
    session = AgentSession()
    await session.start(Echo())
    async def long():
        yield "This is the law. "
        await asyncio.Event().wait()
    session.say(long(), allow_interruptions=False)
    """

    async def act(user: Sitting) -> None:
        await user.sees("This is the law.")
        await user.press("escape")
        await user.sees("wait   this may not be interrupted")

    await sit(programs.entry(whole), act)


async def test_what_a_program_prints_has_a_place_of_its_own(programs: Programs) -> None:
    prints = "print('  seen 1')\nprint('50 %', end='\\r')\nprint('99 %', end='\\r')\n" + ECHO

    async def act(user: Sitting) -> None:
        await user.sees("out      seen 1", "       99 %")
        assert "50 %" not in user.picture()

    await sit(programs.entry(prints), act)


async def test_the_conversation_stands_in_plain_lines_when_the_screen_has_closed(
    programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    async def act(user: Sitting) -> None:
        await user.write("bye")
        await user.sees("You said bye.")

    await sit(programs.entry(ECHO), act)
    said = capsys.readouterr().out
    assert "  user   bye\n" in said
    assert "  agent  You said bye.\n" in said


async def test_the_end_of_a_long_conversation_stays_in_view_until_one_scrolls_up(
    programs: Programs,
) -> None:
    async def act(user: Sitting) -> None:
        for number in range(9):
            await user.write(f"line {number}")
            await user.sees(f"You said line {number}.")
        await user.press("pageup", "pageup", "pageup")
        await user.sees("You said line 0.")
        await user.write("more")
        await user.until(lambda: user.screen.turns.blocks[-1].text == "You said more.")
        await user.press("left")  # something to draw
        assert "You said more." not in user.picture()
        await user.press("pagedown", "pagedown", "pagedown", "pagedown")
        await user.sees("You said more.")

    await sit(programs.entry(ECHO), act, size=(60, 20))


async def test_a_call_on_a_narrow_screen_has_no_times_and_no_levels(programs: Programs) -> None:
    async def act(user: Sitting) -> None:
        await user.write("one two three four five six seven")
        await user.sees("agent  You said one two three", "^q quit")
        assert ":" not in user.picture().partition("\n")[2].replace("brain:", "")
        assert "▁" not in user.picture()

        await user.resize(40, 5)
        await user.sees(" › type to the agent", "^q quit")

    await sit(programs.entry(ECHO), act, size=(40, 12))


@pytest.mark.timeout(90)
async def test_who_is_muted_is_neither_heard_nor_kept_and_text_only_is_silent(
    sound_card: virtual.SoundCard, tmp_path: Path
) -> None:
    record = tmp_path / "out"
    kept = record / "conversation.wav"

    async def act(user: Sitting) -> None:
        await user.sees("^s mute  ^t text")
        await user.press("ctrl+t")
        await user.sees("user text only")
        await user.write("tell me a story")
        await user.sees("another story?")  # the end of it, which nobody had to listen to
        await user.press("ctrl+t", "ctrl+s")
        await user.sees("user muted")
        asked = read_wav(CALLERS / "hesitates.wav").samples
        sound_card.speak(asked)
        spoken = kept.stat().st_size + len(asked) * 24_000 // 16_000 * 4  # both sides' samples
        await user.until(lambda: kept.stat().st_size > spoken)
        assert [block.who for block in user.screen.turns.blocks].count(Who.USER) == 1

    await sit(SAMPLE, act, line=Line(microphone=Wanted()), size=(100, 40), out=record)
    with wave.open(str(kept)) as sound:
        both = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).reshape(-1, 2)
    assert len(both) > 24_000
    assert np.abs(both).max() < 50  # a microphone that nobody speaks into is not quite silent
