"""The record of a session: parts that add up, and lines that are the same each time."""

import json
import random

from antiphon.pipeline import observations as o
from antiphon.pipeline.timeline import PARTS, Record, Timeline, delays


def test_the_parts_of_a_delay_add_up_exactly_whatever_the_marks() -> None:
    for seed in range(2000):
        dice = random.Random(seed)
        start = dice.choice((-1.0, 0.0, 1e-7, 1234.567))
        last_voice = start + dice.random()
        marks = {mark: start + 3 * dice.random() for _, mark in PARTS if dice.random() < 0.7}
        marks["audible"] = last_voice + dice.random() * dice.choice((0, 3))
        parts = delays(last_voice, marks)
        left_out = () if "tools_ended" in marks else ("tools",)
        assert list(parts) == [name for name, _ in PARTS if name not in left_out]
        assert all(part >= 0 for part in parts.values())
        exact = round(marks["audible"] * 1_000_000) - round(last_voice * 1_000_000)
        assert sum(parts.values()) == exact


def test_each_part_lasts_from_the_latest_mark_before_it() -> None:
    marks = {
        "transcribed": 1.25,
        "committed": 1.5,
        "first_token": 1.4,  # a draft: before the turn was over
        "first_chunk": 1.75,
        "first_sound": 2.0,
        "audible": 2.125,
    }
    assert delays(1.0, marks) == {
        "recognition": 250_000,
        "endpointing": 250_000,
        "hook": 0,
        "model": 0,
        "chunk": 250_000,
        "voice": 250_000,
        "floor": 125_000,
    }


def test_a_part_that_has_no_mark_costs_nothing_even_before_time_zero() -> None:
    parts = delays(-0.25, {"committed": 0.5, "audible": 1.0})
    assert {name: part for name, part in parts.items() if part} == {
        "endpointing": 750_000,
        "floor": 500_000,
    }


def test_a_line_has_sorted_keys_ordinals_and_times_to_the_microsecond() -> None:
    record = Record(1 / 3, "delay", 2, None, {"parts": {"b": 0.1 + 0.2, "a": 2}, "Größe": "ß"})
    line = record.json()
    assert list(json.loads(line)) == sorted(json.loads(line))
    assert line == (
        '{"Größe": "ß", "kind": "delay", "parts": {"a": 2, "b": 0.3}, '
        '"reply": null, "t": 0.333333, "turn": 2}'
    )


def test_what_is_recorded_never_hides_what_it_is() -> None:
    record = Record(1.0, "error", detail={"t": 9, "kind": "other", "turn": 7})
    assert json.loads(record.json()) == {"t": 1.0, "kind": "error", "turn": None, "reply": None}


def test_observations_and_decisions_are_named_by_their_class_and_timed_from_the_start() -> None:
    timeline = Timeline(100.0)
    commit = {"text": "hello", "drafted": True, "answer": True, "language": None}
    for value in (
        *(o.VoiceStarted(101.0), o.Granted(3, o.Kind.ANSWER), o.UserIs("speaking", 101.0)),
        *(o.CommitNow(2.0), o.Commit("hello", drafted=True), o.Tick(102.0)),
    ):
        timeline.note(101.5, value, 1, 2)
    assert [(r.t, r.kind, r.turn, r.reply, dict(r.detail)) for r in timeline.records] == [
        (1.5, "voice_started", 1, 2, {"at": 1.0, "answers": False}),
        (1.5, "granted", 1, 2, {"gen": 3, "reply_kind": "answer"}),
        (1.5, "user_is", 1, 2, {"state": "speaking", "since": 1.0}),
        (1.5, "commit_now", 1, 2, {"timeout": 2.0, "answer": True}),
        (1.5, "commit", 1, 2, commit),
        (1.5, "tick", 1, 2, {"deadline": 102.0}),
    ]
    for record in timeline.records:
        assert json.loads(record.json())["kind"] == record.kind


def test_readers_get_every_record_from_when_they_began_in_order() -> None:
    timeline, read = Timeline(0.0), list[Record]()
    timeline.mark(1.0, "session_started", reason="test")
    timeline.read(read.append)
    timeline.mark(2.0, "first_token", 1, 2)
    timeline.mark(2.0, "error", message="x")
    assert read == timeline.records[1:]
    assert [record.kind for record in read] == ["first_token", "error"]


def test_the_same_marks_make_the_same_lines_wherever_the_clock_began() -> None:
    lines = []
    for start in (0.0, 1024.0):
        timeline = Timeline(start)
        timeline.note(start + 0.1, o.VoiceStopped(start + 0.05), 1, None)
        timeline.mark(start + 0.3, "delay", 1, 1, total=0.25)
        lines.append([record.json() for record in timeline.records])
    assert lines[0] == lines[1]
