"""Promise 2: history holds what was heard, to the word, for any voice and wherever it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import FlushSentinel

from antiphon import Agent, simulate
from antiphon.pipeline.pace import unit_ends
from antiphon.pipeline.words import words
from tests.scripted import (
    RATE,
    Act,
    Call,
    Plain,
    Voice,
    at,
    check,
    cough,
    hold,
    plain,
    sentence,
    user,
)
from tests.scripted_models import modelled
from tests.scripted_producers import our_turns
from tests.sweeps import STRIDE, every

if TYPE_CHECKING:
    from livekit import rtc

STORY = " ".join(sentence(first) for first in (0, 10, 20, 30))
Making = Callable[[Call], Agent]


class Segments(Plain):
    """Gives its answer in two segments: the voice is called twice."""

    async def llm_node(self, *_: object) -> AsyncGenerator[Any, None]:
        yield sentence(0) + " "
        yield FlushSentinel()
        await asyncio.sleep(0.05)
        yield sentence(20)


class OfOneSpeed(Voice):
    """Speaks exactly as the model of speaking rates assumes, and says nothing of its words."""

    def __init__(self) -> None:
        super().__init__(timed=False, speed=1e6)

    def length(self, text: str, start: float) -> list[int]:
        before = "x." if start else ""  # the end of a sentence is a rest before the next word
        text = f"{before} {text}"
        ends = [round(end * 0.06 * RATE) for end in unit_ends(text, words(text))]
        if start:
            rest = round((unit_ends("x.", words("x."))[0]) * 0.06 * RATE)
            ends = [end - rest for end in ends[1:]]
        return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def making(name: str) -> tuple[Voice, Making]:
    match name:
        case "plain nodes":
            return Voice(), plain
        case "two segments":
            return Voice(), lambda call: Segments(call.caller, call.voice)
        case "whole texts":
            return Voice(), modelled
        case "a stream":
            return Voice(), lambda call: modelled(call, streaming=True)
        case "whole texts, untimed":
            return OfOneSpeed(), modelled
        case "a realtime model":
            return Voice(), our_turns
        case _:
            return OfOneSpeed(), lambda call: modelled(call, streaming=True)


VOICES = [
    *("plain nodes", "two segments", "whole texts", "a stream"),
    *("whole texts, untimed", "a stream, untimed", "a realtime model"),
]


@pytest.mark.parametrize("voice", VOICES)
def test_history_holds_the_words_heard_when_an_answer_is_cut_at_any_moment(voice: str) -> None:
    moment = 1.05
    while True:
        sound, make = making(voice)
        call = Call(voice=sound)
        hold(
            user(0.1, 0.5, "zaza"),
            at(moment, lambda call: call.session.interrupt()),
            agent=make,
            call=call,
        )
        check(call)
        moment += STRIDE * (0.01 if voice == "plain nodes" else 0.03)
        if call.messages[-1].role == "assistant" and not call.messages[-1].interrupted:
            break
    assert moment > 2.0  # it was cut on the way, and not before it began


@pytest.mark.parametrize("voice", VOICES)
def test_history_holds_the_words_heard_when_a_cut_follows_a_pause(voice: str) -> None:
    for moment in every(1.2, 2.6, 0.07):
        sound, make = making(voice)
        call = Call(voice=sound)
        hold(
            user(0.1, 0.5, "zaza"),
            cough(moment, 0.4),
            user(moment + 1.7, moment + 2.0, "zeze"),
            at(moment + 4.5, lambda call: call.session.interrupt()),
            agent=make,
            call=call,
        )
        check(call)


async def pieces(text: str) -> AsyncGenerator[str, None]:
    for word in text.split():
        yield word + " "
        await asyncio.sleep(0.03)


def said(way: str, call: Call) -> None:
    if way == "text":
        call.say(STORY)
    elif way == "stream":
        call.say(pieces(STORY))
    else:
        call.say(STORY, audio=recorded(call.voice))


async def recorded(voice: simulate.Voice) -> AsyncGenerator[rtc.AudioFrame, None]:
    for frame in voice.frames(STORY):
        yield frame
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("way", ["text", "stream", "audio"])
def test_history_holds_the_words_heard_of_what_the_application_says(way: str) -> None:
    for moment in every(0.2, 2.6, 0.02):
        call = hold(
            at(0.1, lambda call: said(way, call)),
            at(moment, lambda call: call.session.interrupt()),
        )
        check(call)
    whole = hold(at(0.1, lambda call: said(way, call)))
    check(whole)
    assert whole.text("assistant") == STORY.split()


def test_what_is_not_to_be_remembered_is_heard_and_not_in_history() -> None:
    call = hold(at(0.1, lambda call: call.say(STORY, add_to_chat_ctx=False)))
    assert call.heard == STORY.split()
    assert call.messages == []


def test_a_reply_of_which_no_word_was_heard_leaves_no_message() -> None:
    cues: list[Act] = at(0.1, lambda call: call.say(STORY))
    call = hold(cues, at(0.22, lambda call: call.session.interrupt()))
    assert 0 < len(call.sound) < call.voice.lengths[0]
    assert call.messages == []
