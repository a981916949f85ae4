"""What a worker's journal tells the next worker."""

from __future__ import annotations

import json
import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest

from antiphon.journal import SHORTEN_AFTER, Call, Journal
from antiphon.pipeline.errors import UsageError
from tests.jobs import dying

if TYPE_CHECKING:
    from pathlib import Path

ONE = Call("AJ_1", "AD_1", "room 1", "ada", "agent-1")
TWO = Call("AJ_2", "AD_2", "room 2", "", "agent-2")
FORKING = multiprocessing.get_context("forkserver")  # a process of its own costs two seconds each
FORKING.set_forkserver_preload(["tests.jobs.dying"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def died(path: Path, *names: str) -> None:
    """A worker that had these calls, and is no more."""
    worker = FORKING.Process(target=dying.begin, args=(path, *names))
    worker.start()
    worker.join()
    assert worker.exitcode == 0


def test_calls_of_a_dead_worker_that_were_not_over_are_left_behind_in_their_order(
    path: Path,
) -> None:
    died(path, "1", "over", "2")
    assert [call.room for call in Journal(path).left_behind()] == ["room 1", "room 2"]


def test_each_call_is_left_to_one_worker_only(path: Path) -> None:
    died(path, "1")
    assert len(Journal(path).left_behind()) == 1
    assert Journal(path).left_behind() == []


def test_calls_of_a_worker_that_lives_are_its_own(path: Path) -> None:
    mine = Journal(path)
    mine.began(ONE)
    mine.began(TWO)
    mine.over(ONE.job)
    died(path, "3")
    assert [call.job for call in Journal(path).left_behind()] == ["AJ_3"]
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["job"] == TWO.job


def test_a_call_of_another_worker_goes_on_for_as_long_as_that_worker_lives(path: Path) -> None:
    mine = Journal(path)
    mine.began(ONE)
    died(path, "3")
    began, over = FORKING.Event(), FORKING.Event()
    other = FORKING.Process(target=dying.begin_and_wait, args=(began, over, path, "over", "4"))
    other.start()
    began.wait()
    assert [call.room for call in mine.going_on()] == ["room 4"]
    over.set()
    other.join()
    assert mine.going_on() == []


def test_a_process_that_has_a_dead_workers_number_is_not_that_worker(path: Path) -> None:
    died(path, "1")
    line = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps(line | {"worker": [os.getpid(), 1.0]}) + "\n")
    assert [call.job for call in Journal(path).left_behind()] == ["AJ_1"]


def test_a_journal_that_knew_nothing_of_a_rooms_sid_is_read_all_the_same(path: Path) -> None:
    died(path, "1")
    line = json.loads(path.read_text().splitlines()[0])
    del line["sid"]
    path.write_text(json.dumps(line) + "\n")
    assert [call.job for call in Journal(path).left_behind()] == ["AJ_1"]


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", '"x"', "{}", '{"call": "began"}', '{"call": "began", "job": "AJ_9"}', "\x00"],
)
def test_a_broken_line_costs_no_other_call(path: Path, line: str) -> None:
    died(path, "1")
    path.write_text(f"{path.read_text()}{line}\n{path.read_text().replace('1', '2')}")
    assert [call.job for call in Journal(path).left_behind()] == ["AJ_1", "AJ_2"]


def test_a_journal_is_for_its_owner_and_holds_where_a_call_was_and_nothing_else(
    path: Path,
) -> None:
    Journal(path).began(ONE)
    assert path.stat().st_mode & 0o777 == 0o600
    line = json.loads(path.read_text())
    assert set(line) == {"call", "job", "dispatch", "room", "agent", "identity", "sid", "worker"}


def test_a_journal_does_not_grow_with_the_calls_that_are_over(path: Path) -> None:
    journal = Journal(path)
    journal.began(ONE)
    for _ in range(SHORTEN_AFTER):
        journal.began(TWO)
        journal.over(TWO.job)
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["job"] == ONE.job


def test_a_journal_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        Journal(tmp_path)


def test_a_journal_that_is_lost_meanwhile_ends_no_call(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(path)
    path.unlink()
    path.mkdir()
    journal.began(ONE)
    assert "cannot be used: [Errno 21] Is a directory" in caplog.text
    assert journal.left_behind() == []
