"""What is on the screen, line by line, in whatever order captions and records come."""

from __future__ import annotations

import io
from typing import TextIO, cast

from antiphon.pipeline.timeline import PARTS, Record
from antiphon.screen import Printed
from antiphon.screen_bars import legend
from antiphon.screen_names import stopping
from antiphon.screen_plain import PlainScreen


def message(t: float, text: str, *, interrupted: bool = False) -> Record:
    detail = {"role": "assistant", "text": text, "interrupted": interrupted}
    return Record(t, "message", 1, 1, detail)


def shown(out: io.StringIO) -> list[str]:
    return [line.strip() for line in out.getvalue().splitlines()]


async def test_a_reply_is_written_as_it_is_heard_and_ends_where_it_was_cut() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.note(Record(2.5, "audible", 1, 1))
    await screen.capture_text("Here is ")
    await screen.capture_text("one. On a")
    screen.note(message(4.0, "Here is one. On a rock", interrupted=True))
    await screen.capture_text(" rock")  # late: the message has told it already
    screen.flush()
    assert shown(out) == ["2.50  agent  Here is one. On a rock [interrupted]"]


async def test_what_a_terminal_would_obey_is_not_sent_to_it() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.user("hello \x1b[2Jthere\x07", 0.5)
    screen.note(Record(1.0, "audible", 1, 1))
    await screen.capture_text("Here \x1b]0;mine\x07is \x9b2Jone.")
    screen.flush()
    assert shown(out) == ["0.50  user   hello there", "1.00  agent  Here is one."]


async def test_the_users_words_break_a_reply_and_it_goes_on_below() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.note(Record(1.0, "audible", 1, 1))
    await screen.capture_text("Once upon ")
    screen.note(Record(2.0, "pause", None, 1))
    screen.user("mm", 2.1)
    screen.note(Record(2.5, "resume", None, 1))
    await screen.capture_text("a time.")
    screen.note(message(3.0, "Once upon a time."))
    screen.flush()
    assert shown(out) == [
        "1.00  agent  Once upon",
        "2.10  user   mm",
        "a pause for nothing: it went on where it had stopped",
        "2.50  agent  a time.",
    ]


async def test_a_pause_for_nothing_is_told_where_it_was_and_not_at_the_end_of_a_reply() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.note(Record(1.0, "audible", 1, 1))
    await screen.capture_text("Once upon ")
    screen.note(Record(2.0, "stopped", 1, 1, {"voice": 0.2, "detection": 0.14}))
    screen.note(Record(3.0, "resume", None, 1))
    await screen.capture_text("a time.")
    assert shown(out) == [
        "1.00  agent  Once upon",
        "silent 0.20 s after the user's voice began (0.14 s after it was noticed)",
        "a pause for nothing: it went on where it had stopped",
        "3.00  agent  a time.",
    ]


async def test_no_line_breaks_within_a_word() -> None:
    screen = PlainScreen(out := io.StringIO(), width=32)
    screen.notice("  with   brain: no model, a few rules")
    screen.note(Record(1.0, "audible", 1, 1))
    for text in ("Once upon ", "a time there was ", "an extraordinary ", "whale."):
        await screen.capture_text(text)
    screen.user("I would like to hear more of it", 2.0)
    assert out.getvalue().splitlines() == [
        "  with   brain: no model, a few",
        "         rules",
        "   1.00  agent  Once upon a time",
        "                there was an",
        "                extraordinary",
        "                whale.",
        "   2.00  user   I would like to",
        "                hear more of it",
    ]


async def test_what_a_program_prints_has_lines_of_its_own() -> None:
    screen = PlainScreen(out := io.StringIO())
    printed = Printed(screen, out)
    await screen.capture_text("Once upon ")
    print("seen", 1, file=cast("TextIO", printed))
    await screen.capture_text("a time.")
    printed.write("half")
    screen.notice("a notice")
    assert shown(out) == [
        "0.00  agent  Once upon",
        "seen 1",
        "0.00  agent  a time.",
        "half",
        "a notice",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_whoever_types_sees_a_prompt_whenever_nothing_is_being_said() -> None:
    screen = PlainScreen(out := Terminal(), width=80)
    screen.notice("a notice")
    screen.invite(True)
    assert out.getvalue() == "a notice\n> "
    screen.typed("hello", 1.0)
    line = "\r\x1b[K"  # the prompt is taken back, and what was typed stays
    assert out.getvalue() == "a notice\n> "
    await screen.capture_text("Hi.")
    assert out.getvalue().endswith(f"> {line}   0.00  agent  Hi.")
    screen.flush()
    assert out.getvalue().endswith("Hi.\n> ")
    screen.invite(False)
    assert out.getvalue().endswith(f"> {line}")


async def test_nobody_is_invited_to_type_into_a_file() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.invite(True)
    screen.typed("hello", 1.0)
    assert shown(out) == ["1.00  user   hello"]


async def test_a_stopping_time_stands_below_the_reply_it_stopped() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.note(Record(1.0, "audible", 1, 1))
    await screen.capture_text("Once")
    screen.note(Record(2.0, "stopped", 1, 1, {"voice": 0.2, "detection": 0.14}))
    screen.note(message(2.0, "Once", interrupted=True))
    assert shown(out) == [
        "1.00  agent  Once [interrupted]",
        "silent 0.20 s after the user's voice began (0.14 s after it was noticed)",
    ]


async def test_a_reply_that_was_cut_in_its_first_word_has_a_line() -> None:
    screen = PlainScreen(out := io.StringIO())
    screen.note(Record(2.0, "audible", 1, 1))
    screen.note(Record(2.1, "stopped", 1, 1, {"voice": 0.2, "detection": 0.1}))
    screen.note(Record(2.1, "unheard", 1, 1, {"text": "Once upon a time."}))
    screen.note(Record(4.0, "audible", 2, 2))
    await screen.capture_text("Yes.")
    screen.flush()
    assert shown(out) == [
        "2.00  agent  [interrupted]",
        stopping(0.2, 0.1),
        "4.00  agent  Yes.",
    ]


async def test_a_reply_that_is_not_remembered_ends_its_line_as_well() -> None:
    screen = PlainScreen(out := io.StringIO())
    await screen.capture_text("One moment.")
    screen.flush()
    await screen.capture_text("Here.")
    screen.flush()
    assert shown(out) == ["0.00  agent  One moment.", "0.00  agent  Here."]


def test_parts_of_a_delay_that_took_no_time_are_left_out() -> None:
    screen = PlainScreen(out := io.StringIO())
    parts = {"recognition": 0.2, "endpointing": 0.3, "hook": 0.0}
    screen.note(Record(1.0, "delay", 1, 1, {"parts": parts, "total": 0.5}))
    assert shown(out) == ["answered after 0.500 s = recognition 0.200 + decision 0.300"]


def test_lines_and_screens_name_the_parts_of_a_delay_alike() -> None:
    screen = PlainScreen(out := io.StringIO())
    parts = {name: 0.1 for name, _ in PARTS}
    screen.note(Record(1.0, "delay", 1, 1, {"parts": parts, "total": 0.8}))
    named = " + ".join(text.plain for text in legend(parts))
    assert shown(out) == [f"answered after 0.800 s = {named}"]


def test_a_terminal_without_the_letters_gets_others() -> None:
    out = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    PlainScreen(out).notice("grüezi")
    assert raw.getvalue() == b"gr?ezi\n"
