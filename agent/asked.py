"""What the application asks to be said: `say` and `generate_reply`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

from livekit.agents import NOT_GIVEN, NotGivenOr, llm

from antiphon import arguments
from antiphon.arguments import said
from antiphon.context import INSIDE
from antiphon.pipeline.errors import ArgumentError, UsageError
from antiphon.pipeline.observations import Kind
from antiphon.sources import Said, SaidAudio

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from livekit import rtc
    from livekit.agents.llm.chat_context import Instructions

    from antiphon.conversation import Conversation
    from antiphon.memory import Modality, Told
    from antiphon.speech import SpeechHandle


@dataclass(frozen=True, slots=True)
class Asking:
    """How a reply is asked for; what is left out is as for an answer to the user."""

    instructions: NotGivenOr[Told] = NOT_GIVEN
    chat_ctx: NotGivenOr[llm.ChatContext] = NOT_GIVEN
    tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN
    tools: NotGivenOr[list[str]] = NOT_GIVEN
    allow_interruptions: NotGivenOr[bool] = NOT_GIVEN
    modality: Modality = "text"


def say(
    talk: Conversation,
    text: str | AsyncIterable[str],
    audio: AsyncIterable[rtc.AudioFrame] | None,
    allow_interruptions: NotGivenOr[bool],
    *,
    remembered: bool,
) -> SpeechHandle:
    """Have text said, or ready audio played, when its turn comes."""
    arguments.speech(text)
    if audio is not None:
        arguments.sound(audio)
    voice, kind = talk.speaking.voice(), talk.speaking.kind(Kind.SPEECH, allow_interruptions)
    source = Said(voice, text, name="say", remembered=remembered)
    if audio is None and talk.realtime.mouth.speaks_for(voice.agent):
        source = talk.realtime.mouth.said_as_given(voice, text)
        source.remembered = remembered
    talk.states.hold()
    if audio is not None:
        source = SaidAudio(voice, text, audio, name="say", remembered=remembered)
    return talk.speaking.speak(source, kind)


def generate(
    talk: Conversation, user_input: NotGivenOr[str | llm.ChatMessage], asking: Asking
) -> SpeechHandle:
    """Have the model speak when its turn comes; `user_input` is in history at once."""
    _check(talk, user_input, asking)
    inside = INSIDE.get()
    written = user_input is not NOT_GIVEN and not (inside and inside.written == user_input)
    if written:
        given = cast("str | llm.ChatMessage", user_input)
        message = talk.memory.user_turn(given) if isinstance(given, str) else given
        talk.write(message, talk.agent)
    source = talk.speaking.generated(
        talk.memory.asking(talk.agent, asking.instructions, asking.chat_ctx, asking.modality),
        "generate_reply",
        talk.speaking.settings(asking.tool_choice),
        talk.tools.offered(asking.tools),
        asking.instructions,
    )
    source.modality = asking.modality
    kind = talk.speaking.kind(Kind.SPEECH, asking.allow_interruptions)
    talk.states.hold()
    speech = talk.speaking.speak(source, kind)
    if written:
        talk.delays.written(speech)
    return speech


def _taken(talk: Conversation) -> None:
    """Refuse what comes too late; a tool or a hook that is still at work may say what it has to."""
    if talk.idle.closed:
        raise UsageError("the session has closed; make a new one to speak again")
    if talk.speaking.draining and INSIDE.get() is None:
        raise UsageError("the session drains: until all is said, nothing more can be asked for")


def _check(
    talk: Conversation, user_input: NotGivenOr[str | llm.ChatMessage], asking: Asking
) -> None:
    """Refuse what `generate_reply` cannot be given, before anything is written."""
    message = said(user_input, "")
    arguments.instance("user_input", message, str | llm.ChatMessage, "a str or a ChatMessage")
    if (told := said(asking.instructions, None)) is not None:
        arguments.instructions(told)
    context = said(asking.chat_ctx, llm.ChatContext.empty())
    arguments.instance("chat_ctx", context, llm.ChatContext, "a ChatContext")
    names = said(asking.tools, [])
    arguments.words("tools", names)
    if names:
        offered = talk.tools.offered()
        known = [*(tool.id for tool in offered.flatten()), *(s.id for s in offered.toolsets)]
        for name in names:
            if name not in known:
                raise ArgumentError(f"tools=[{name!r}]: {arguments.nearest(name, known)}")


class Session(Protocol):
    """What asking needs of it, and saying whose turn it is."""

    @property
    def conversation(self) -> Conversation: ...


class SpeechOfSession:
    """What a session can be asked to say."""

    def say(
        self: Session,
        text: str | AsyncIterable[str],
        *,
        audio: NotGivenOr[AsyncIterable[rtc.AudioFrame]] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        add_to_chat_ctx: bool = True,
    ) -> SpeechHandle:
        """Say `text`; with `audio`, play that instead of asking a voice."""
        _taken(self.conversation)
        return say(
            self.conversation,
            text,
            None if audio is NOT_GIVEN else cast("AsyncIterable[rtc.AudioFrame]", audio),
            allow_interruptions,
            remembered=add_to_chat_ctx,
        )

    def generate_reply(
        self: Session,
        *,
        user_input: NotGivenOr[str | llm.ChatMessage] = NOT_GIVEN,
        instructions: NotGivenOr[str | Instructions] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[str]] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        chat_ctx: NotGivenOr[llm.ChatContext] = NOT_GIVEN,
        input_modality: Literal["text", "audio"] = "text",
    ) -> SpeechHandle:
        """Have the model speak; it sees the history as it is when its turn to speak comes."""
        _taken(self.conversation)
        asking = Asking(
            instructions, chat_ctx, tool_choice, tools, allow_interruptions, input_modality
        )
        return generate(self.conversation, user_input, asking)
