"""Whatever takes more than two seconds says so, though it may hold everything else up."""

from __future__ import annotations

from queue import Queue

from antiphon.patience import waiting_for


def test_what_blocks_for_more_than_two_seconds_says_what_is_waited_for() -> None:
    said: Queue[str] = Queue()
    with waiting_for("my_agent.py", said.put):
        assert said.get() == "  wait   for my_agent.py (2 s)"  # nothing else runs meanwhile


def test_what_is_quick_says_nothing() -> None:
    said: list[str] = []
    with waiting_for("my_agent.py", said.append):
        pass
    assert not said
