"""The record of a call: who said what and when, and what is in its files at any moment."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.timeline import Timeline
from antiphon.record import CallRecord, Transcript


def lines(*records: tuple[float, str, dict[str, object]]) -> list[dict[str, object]]:
    """The transcript of these records; a `reply` among the details is the record's."""
    transcript, timeline = Transcript(), Timeline(0.0)
    for t, kind, detail in records:
        reply = detail.pop("reply", None)
        assert reply is None or isinstance(reply, int)
        timeline.mark(t, kind, None, reply, **detail)
        transcript.note(timeline.records[-1])
    parsed: list[dict[str, object]] = json.loads(transcript.json())
    return parsed


def user(t: float, text: str) -> tuple[float, str, dict[str, object]]:
    return t, "message", {"role": "user", "text": text, "interrupted": False}


def test_a_users_line_lasts_as_long_as_the_voice() -> None:
    said = lines(
        (1.06, "voice_started", {"at": 1.0}),
        (1.5, "transcript", {"text": "hello", "final": False}),
        (2.2, "voice_stopped", {"at": 2.0}),
        user(2.5, "hello"),
    )
    assert said == [
        {"speaker": "user", "text": "hello", "start": 1.0, "end": 2.0, "interrupted": False}
    ]


def test_a_pause_in_the_middle_belongs_to_the_line_and_a_cough_before_it_does_not() -> None:
    (line,) = lines(
        (0.2, "voice_started", {"at": 0.1}),
        (0.5, "voice_stopped", {"at": 0.3}),
        (1.06, "voice_started", {"at": 1.0}),
        (1.4, "transcript", {"text": "book", "final": False}),
        (1.7, "voice_stopped", {"at": 1.5}),
        (2.06, "voice_started", {"at": 2.0}),
        (2.7, "voice_stopped", {"at": 2.5}),
        user(3.0, "book a table"),
    )
    assert (line["start"], line["end"]) == (1.0, 2.5)


def test_the_next_line_begins_with_its_own_voice() -> None:
    first, second = lines(
        (1.06, "voice_started", {"at": 1.0}),
        user(1.5, "one"),
        (3.06, "voice_started", {"at": 3.0}),
        (3.7, "voice_stopped", {"at": 3.5}),
        user(4.0, "two"),
    )
    assert (first["start"], first["end"]) == (1.0, 1.5)
    assert (second["start"], second["end"]) == (3.0, 3.5)


def test_lines_stand_in_the_order_in_which_they_began() -> None:
    said = lines(
        (1.0, "audible", {"reply": 1}),
        (2.06, "voice_started", {"at": 2.0}),
        (2.7, "voice_stopped", {"at": 2.5}),
        user(3.0, "mm-hmm"),
        (
            9.0,
            "message",
            {"role": "assistant", "text": "A story", "interrupted": True, "reply": 1},
        ),
    )
    assert [line["speaker"] for line in said] == ["agent", "user"]
    assert said[0] == {
        "speaker": "agent",
        "text": "A story",
        "start": 1.0,
        "end": 9.0,
        "interrupted": True,
    }


def test_the_files_are_whole_before_the_call_has_ended(tmp_path: Path) -> None:
    record = CallRecord(tmp_path / "out")
    timeline = Timeline(0.0)
    timeline.read(record.note)
    record.begin(0.0, 16000)
    assert json.loads((tmp_path / "out" / "transcript.json").read_text()) == []

    timeline.mark(0.5, "message", role="user", text="grüezi", interrupted=False)
    record.heard_agent(1.0, memoryview(np.ones(16000, np.int16).tobytes()).cast("h"))

    assert (
        json.loads((tmp_path / "out" / "transcript.json").read_text("utf-8"))[0]["text"] == "grüezi"
    )
    (line,) = (tmp_path / "out" / "timeline.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["t"] == 0.5
    with wave.open(str(tmp_path / "out" / "conversation.wav")) as file:
        assert file.getnframes() == 32000
    assert str(record).endswith(": conversation.wav, transcript.json, timeline.jsonl")
    record.close()


def test_a_caller_is_recorded_at_the_agents_rate_where_it_spoke(tmp_path: Path) -> None:
    record = CallRecord(tmp_path)
    record.begin(10.0, 24000)
    tone = (10000 * np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000)).astype(np.int16)
    sound = np.concatenate([np.zeros(8000, np.int16), tone, np.zeros(8000, np.int16)])
    for at in range(0, len(sound), 320):
        record.heard_user(10.0 + at / 16000, sound[at : at + 320])
    record.close()

    with wave.open(str(tmp_path / "conversation.wav")) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    loud = np.flatnonzero(np.abs(both[:, 0]) > 1000)
    assert abs(loud[0] - 12000) < 24  # one millisecond
    assert abs(loud[-1] - 36000) < 24


def test_an_earlier_record_is_replaced(tmp_path: Path) -> None:
    for name in ("conversation.wav", "transcript.json", "timeline.jsonl"):
        (tmp_path / name).write_text("old")
    record = CallRecord(tmp_path)
    record.close()
    assert (tmp_path / "transcript.json").read_text() == "[]\n"
    assert (tmp_path / "timeline.jsonl").read_text() == ""
    assert not (tmp_path / "conversation.wav").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; name a folder"):
        CallRecord(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot write into --out"):
        CallRecord(tmp_path / "file" / "below")
    for sound in (True, False):
        with pytest.raises(UsageError, match="cannot write into --out"):
            CallRecord(tmp_path / (300 * "x"), sound=sound)


def test_a_folder_that_a_call_writes_into_is_not_taken_by_another(tmp_path: Path) -> None:
    first, timeline = CallRecord(tmp_path), Timeline(0.0)
    timeline.read(first.note)
    timeline.mark(1.0, "message", role="user", text="hello", interrupted=False)
    with pytest.raises(UsageError, match="is being written by a call that goes on"):
        CallRecord(tmp_path)
    assert json.loads((tmp_path / "transcript.json").read_text())[0]["text"] == "hello"
    first.close()
    CallRecord(tmp_path).close()


def test_a_program_that_goes_to_another_folder_takes_no_record_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record, timeline = CallRecord(Path("out")), Timeline(0.0)
    timeline.read(record.note)
    monkeypatch.chdir("/")
    record.begin(0.0, 24_000)
    timeline.mark(1.0, "message", role="user", text="hello", interrupted=False)
    record.close()
    assert str(record) == "the record is in out: conversation.wav, transcript.json, timeline.jsonl"
    assert json.loads((tmp_path / "out" / "transcript.json").read_text())


def test_half_a_character_costs_the_record_nothing(tmp_path: Path) -> None:
    record, timeline = CallRecord(tmp_path), Timeline(0.0)
    timeline.read(record.note)
    timeline.mark(1.0, "error", source="llm", message="cannot read \ud83d")
    timeline.mark(2.0, "message", role="user", text="hello \ud83d", interrupted=False)
    record.close()
    assert len((tmp_path / "timeline.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert json.loads((tmp_path / "transcript.json").read_text(encoding="utf-8"))
