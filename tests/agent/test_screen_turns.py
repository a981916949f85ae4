"""What a screen makes of a conversation: blocks of words, what is below them, and lines."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.text import Text

from antiphon.pipeline.timeline import PARTS, Record
from antiphon.screen_bars import bar, legend
from antiphon.screen_lines import lines
from antiphon.screen_names import WENT_ON
from antiphon.screen_plain import MARGIN
from antiphon.screen_turns import Block, Delay, Stop, Turns, Who
from tests.scripted import at, hold, sentence
from tests.sweeps import every

NONE = dict.fromkeys((name for name, _ in PARTS), 0.0)


def note(turns: Turns, t: float, kind: str, turn: int | None = None, **detail: object) -> None:
    turns.note(Record(t, kind, turn, 1, detail))


def said(turns: Turns) -> list[tuple[Who, str, str, str]]:
    return [(block.who, block.text, block.interim, block.unheard) for block in turns.blocks]


def test_words_that_may_yet_change_are_apart_from_those_that_are_settled() -> None:
    turns = Turns()
    note(turns, 1.0, "voice_started", at=0.9)
    note(turns, 1.5, "transcript", text="what", final=False)
    note(turns, 1.9, "transcript", text="what time", final=True)
    note(turns, 2.2, "transcript", text="is", final=False)
    assert said(turns) == [(Who.USER, "what time", "is", "")]
    assert turns.blocks[0].at == 0.9


def test_what_history_has_is_what_is_shown_of_a_turn() -> None:
    turns = Turns()
    note(turns, 1.9, "transcript", text="my pin is 1234", final=True)
    note(turns, 2.0, "commit", 1, text="my pin is 1234")
    note(turns, 2.0, "message", 1, role="user", text="my pin is ####", interrupted=False)
    note(turns, 3.0, "transcript", text="next", final=True)
    assert [block.text for block in turns.blocks] == ["my pin is ####", "next"]


def test_a_delay_is_below_the_turn_that_was_answered_so_late() -> None:
    turns = Turns()
    note(turns, 1.9, "transcript", text="one", final=True)
    note(turns, 2.0, "commit", 1, text="one")
    note(turns, 2.0, "message", 1, role="user", text="one", interrupted=False)
    note(turns, 2.1, "transcript", text="two", final=False)
    note(turns, 2.5, "delay", 1, parts={**NONE, "model": 0.5}, total=0.5)
    assert turns.blocks[0].below == [Delay({**NONE, "model": 0.5}, 0.5)]
    assert not turns.blocks[1].below


def test_a_delay_is_below_what_was_written_and_answered_so_late() -> None:
    turns = Turns()
    note(turns, 1.0, "message", role="user", text="one", interrupted=False)
    note(turns, 1.0, "reply_started", source="generate_reply")
    turns.words("You wrote one.")
    note(turns, 1.5, "delay", parts={**NONE, "model": 0.5}, total=0.5)
    assert [block.text for block in turns.blocks] == ["one", "You wrote one."]
    assert turns.blocks[0].below == [Delay({**NONE, "model": 0.5}, 0.5)]
    assert not turns.blocks[1].below


def test_what_was_cut_is_shown_as_far_as_it_was_heard_and_the_rest_as_not_heard() -> None:
    turns = Turns()
    note(turns, 1.0, "audible", 1)
    turns.words("Once upon ")
    note(turns, 2.0, "stopped", 1, voice=0.2, detection=0.1)
    turns.words("a t")
    note(turns, 2.5, "message", 1, role="assistant", text="Once upon a", interrupted=True)
    note(turns, 2.5, "unheard", 1, text="time.")
    turns.words("ime.")  # late
    turns.silence()
    turns.words("Yes.")
    assert said(turns) == [
        (Who.AGENT, "Once upon a", "", "time."),
        (Who.AGENT, "Yes.", "", ""),
    ]
    assert turns.blocks[0].below == [Stop(0.2, 0.1)]


def test_a_reply_that_was_cut_in_its_first_word_is_shown_as_not_heard() -> None:
    turns = Turns()
    turns.words("Well.")
    turns.silence()
    note(turns, 2.0, "audible", 1)
    note(turns, 2.1, "stopped", 1, voice=0.2, detection=0.1)
    note(turns, 2.1, "unheard", 1, text="Once upon a time.")
    note(turns, 4.0, "audible", 2)
    turns.words("Yes.")
    assert said(turns) == [
        (Who.AGENT, "Well.", "", ""),
        (Who.AGENT, "", "", "Once upon a time."),
        (Who.AGENT, "Yes.", "", ""),
    ]
    assert [(block.at, block.below) for block in turns.blocks[1:]] == [
        (2.0, [Stop(0.2, 0.1)]),
        (4.0, []),
    ]


def test_a_reply_is_shown_at_whatever_moment_it_is_cut() -> None:
    shown = []
    for moment in every(0.12, 0.9, 0.02):
        call = hold(
            at(0.1, lambda call: call.say(sentence(0))),
            at(moment, lambda call: call.session.interrupt()),
        )
        turns = Turns()
        for record in call.session.timeline.records:
            turns.note(record)
        assert len(turns.blocks) == bool(len(call.sound))
        for block in turns.blocks:
            assert block.text.split() == call.heard
            assert f"{block.text} {block.unheard}".split() == sentence(0).split()
            shown.append(block.text)
    assert "" in shown  # cut in its first word
    assert len(set(shown)) > 3


def test_only_what_has_changed_is_drawn_anew() -> None:
    turns = Turns()
    turns.notice("with", "flite")
    turns.words("Once")
    assert turns.changed() == 0
    assert turns.changed() is None
    turns.words(" more")
    assert turns.changed() == 1


def test_a_tool_is_named_with_the_time_it_took() -> None:
    turns = Turns()
    note(turns, 1.0, "tool_started", name="look", call="1")
    note(turns, 1.5, "tool_ended", name="look", call="1", error=None)
    note(turns, 2.0, "tool_started", name="look", call="2")
    note(turns, 2.1, "tool_ended", name="look", call="2", error="no")
    assert [block.text for block in turns.blocks] == ["look  0.50 s", "look  0.10 s and failed"]


def test_a_print_that_goes_back_in_its_line_writes_over_it() -> None:
    turns = Turns()
    for text in ("10 %", "\r20 %", "\r100 %\n", "\n", "done"):
        turns.printed(text)
    assert [block.text for block in turns.blocks] == ["100 %\n", "done"]


def test_a_traceback_is_drawn_as_it_was_printed() -> None:
    turns = Turns()
    for text in ("Traceback:\n", "  File 1\n", "    ", "stop()\n", f"{MARGIN}Error\n"):
        turns.printed(text)
    drawn = [line.plain for block in turns.blocks for line in lines(block, 80, Console(width=80))]
    assert [line[15:] for line in drawn] == ["Traceback:", "  File 1", "    stop()", "Error"]
    assert [line[:15].strip() for line in drawn] == ["out", "", "", ""]


@pytest.mark.parametrize("width", [10, 40, 64])
def test_a_bar_is_as_long_as_its_delay_and_its_parts_add_up(width: int) -> None:
    parts = {**NONE, "recognition": 0.2, "endpointing": 0.3, "model": 0.5}
    drawn = bar(parts, width)
    assert len(drawn) == round(1.0 / 2.0 * width)
    assert sum(span.end - span.start for span in drawn.spans) == len(drawn)
    assert len(bar({**NONE, "model": 30.0}, width)) == width
    named = [text.plain for text in legend(parts)]
    assert named == ["recognition 0.200", "decision 0.300", "first token 0.500"]


def test_every_part_of_a_delay_has_a_name_on_the_screen() -> None:
    every = [text.plain.rpartition(" ")[0] for text in legend(dict.fromkeys(NONE, 0.1))]
    assert every == [
        *("recognition", "decision", "hook", "tools"),
        *("first token", "first sentence", "first sound", "floor"),
    ]


OBEYED = "\x1b[2J\x1b]0;mine\x07\x9b1mNo \x1b[31mred\x1b[0m\r\x08 here\x1b"


@pytest.mark.parametrize("who", Who)
def test_what_a_terminal_would_obey_is_not_sent_to_it(who: Who) -> None:
    block = Block(who, f"{OBEYED}\n\x1b[32mgreen", interim=OBEYED, unheard=OBEYED)
    drawn = Text("\n").join(lines(block, 80, Console(width=80))).plain
    assert "No red here" in drawn
    assert all(letter == "\n" or letter.isprintable() for letter in drawn)


def test_what_a_program_prints_in_colours_keeps_them() -> None:
    text = "\x1b[2J\x1b]0;mine\x07a \x1b[31mred\x1b[0m word\n"
    (line,) = lines(Block(Who.PRINT, text), 80, Console(width=80))
    assert line.plain.endswith(" a red word")
    own = [span for span in line.spans if getattr(span.style, "color", None) is not None]
    assert [line.plain[span.start : span.end] for span in own] == ["red"]


@pytest.mark.parametrize("width", [30, 55, 56, 80, 120])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    below: list[Delay | Stop | str] = [
        Delay(dict.fromkeys(NONE, 0.3), 2.4),
        Stop(0.2, 0.1),
        WENT_ON,
    ]
    words = "once upon a time there was an extraordinary whale " * 3
    block = Block(Who.AGENT, words, at=3725.0, unheard=words, interrupted=True, below=below)
    drawn = lines(block, width, Console(width=width))
    assert max(line.cell_len for line in drawn) <= width
    assert ("1:02:05" in drawn[1].plain) == (width >= 56)
