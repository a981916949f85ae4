"""What holds of every conversation, whatever happens in it; each broken law is a line of text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from livekit.agents import CloseReason, llm

from antiphon.nodes.local.script import bare
from antiphon.pipeline.endpointing import plain_words
from antiphon.pipeline.errors import AntiphonError
from antiphon.pipeline.refused import NotVirtual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from antiphon.simulated_call import Call


class LawBroken(AntiphonError):
    """A simulated conversation broke a law that all of them keep; the message says which."""


def broken(call: Call, *, errors: bool = False) -> Iterator[str]:
    """The laws that this call, which is over, has broken. With `errors`, models, nodes and hooks
    may have failed."""
    if not errors:
        yield from failures(call)
    for record in call.log:
        yield f"an error was logged: {record.getMessage()}{_because(record.exc_info)}"
    if call.strays:
        yield f"these would not end: {', '.join(call.strays)}"
    if (closed := len(call.reported("close"))) != 1:
        yield f"the session reported its end {closed} times"
    yield from unfinished(call)
    yield from sound(call)
    yield from history(call)
    yield from user_words(call)
    yield from tools(call)


def failures(call: Call) -> Iterator[str]:
    """Nothing failed for good."""
    for event in call.reported("error"):
        error = getattr(event.error, "error", event.error)
        if not getattr(event.error, "recoverable", False):
            yield f"{type(error).__name__}: {error}{_advice(error)}"


def unfinished(call: Call) -> Iterator[str]:
    """Every speech is done."""
    for event in call.reported("speech_created"):
        if not event.speech_handle.done():
            yield f"{event.speech_handle.id} ({event.source}) is not done"


def sound(call: Call) -> Iterator[str]:
    """Nothing is heard after its reply was cut; words are heard in order, and none twice."""
    resumed = [record.t for record in call.records("audible")]
    for record in call.records("cut"):
        cut = record.t
        following = min((t for t in resumed if t >= cut), default=float("inf"))
        for began, pcm in call.played:
            last = call.last(began, pcm)
            if last > cut and last < following:
                yield f"sound was heard at {began:.3f} s, after the cut at {cut:.3f} s"
                break
    yield from _order(call)


def _order(call: Call) -> Iterator[str]:
    voice = call.voice
    if not voice.made:
        return
    heard = call.runs()
    if len({n for n, _ in heard}) != len(heard):
        yield "a word was heard twice"
    for n, count in heard:
        if n > len(voice.made) or count > voice.lengths[n - 1]:
            yield f"{count} samples of word {n} were heard: more than its voice made"
    for (before, _), (n, _) in itertools.pairwise(heard):
        if n != before + 1 and n not in voice.starts:
            yield f"word {n} ({voice.made[n - 1]!r}) was heard after word {before}"


def history(call: Call) -> Iterator[str]:
    """History has the words of a reply that were heard: no more, no fewer.

    Judged where the scripted voice says what is written, word for word.
    """
    began: dict[int, float] = {}
    for (kind, reply, at), records in itertools.groupby(
        call.records("audible", "message"),
        lambda record: (record.kind, record.reply or 0, record.t),
    ):
        if kind == "audible":
            began.setdefault(reply, at)
            continue
        written = _words(" ".join(str(record.detail["text"]) for record in records))
        heard = _spoken(call, began.pop(reply, at), at)
        if not (heard and written):
            continue
        due = list(range(heard[0], heard[0] + len(written)))
        alike = written == _words(" ".join(call.voice.made[due[0] - 1 : due[-1]]))
        if alike and heard != due:
            yield (
                f"history has {len(written)} words of reply {reply}, and these were heard: "
                + " ".join(call.voice.made[n - 1] for n in heard)
            )


def _spoken(call: Call, begin: float, end: float) -> list[int]:
    """The words whose last sample was heard in that time, by number."""
    counts: dict[int, int] = {}
    for value, count in call.runs(begin, end):
        counts[value] = counts.get(value, 0) + count
    lengths = call.voice.lengths
    return [n for n in counts if 0 < n <= len(lengths) and counts[n] == lengths[n - 1]]


def user_words(call: Call) -> Iterator[str]:
    """Every word that was recognised is in the history, in order; case and marks may differ.

    Judged where nobody may take it out again: a hook, the application, or an end of its own.
    """
    ended = [event.reason for event in call.reported("close")]
    taken = call.records("clear", "hook_started")
    if taken or CloseReason.ERROR in ended or call.closed_by_agent:
        return
    texts = [m.text_content or "" for m in call.messages if m.role == "user"]
    kept = iter(plain_words(" ".join(texts)))
    lost = [word for word in plain_words(" ".join(call.caller.words)) if word not in kept]
    if lost:
        yield f"words of the user are not in the history: {' '.join(lost)!r}"


def tools(call: Call) -> Iterator[str]:
    """Every call of a tool is answered, once."""
    items = call.session.history.items
    answered = [item.call_id for item in items if isinstance(item, llm.FunctionCallOutput)]
    for item in items:
        if isinstance(item, llm.FunctionCall) and (n := answered.count(item.call_id)) != 1:
            yield f"the call of {item.name} was answered {n} times"


def _words(text: str) -> list[str]:
    kept = (bare(word).casefold().strip(".,;:!?…\"'") for word in text.split())
    return [word for word in kept if word]


def _because(info: Any) -> str:
    return f": {type(info[1]).__name__}: {info[1]}" if info and info[1] is not None else ""


def _advice(error: BaseException) -> str:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, NotVirtual):
            return (
                "\n  A model that needs the network cannot run in virtual time: let it be scripted "
                "(the default), or use calling() on an ordinary event loop"
            )
        found = found.__cause__ or found.__context__
    return ""
