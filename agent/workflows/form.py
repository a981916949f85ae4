"""Asking a caller for something: say what it is, read it, read it back, confirm it, or give up.

A ready-made task is a `Form` (what it asks for, in which fields, and how people say it) and a
`read` that makes a result of the fields or says what is wrong with them. All else is here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypedDict, TypeVar, cast

from livekit.agents import NOT_GIVEN, NotGivenOr
from livekit.agents import llm as llms
from livekit.agents.llm.chat_context import Instructions

from antiphon import arguments
from antiphon.context import RunContext  # noqa: TC001  # tools are made from hints
from antiphon.function_tools import function_tool
from antiphon.task import AgentTask
from antiphon.veil import HIDDEN
from antiphon.workflows.instructions import WorkflowInstructions
from antiphon.workflows.readings import Unreadable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.agents import TurnDetectionMode, stt, tts, vad
    from typing_extensions import Unpack

    from antiphon.speech import SpeechHandle

T = TypeVar("T")

Told = WorkflowInstructions | Instructions | str
Given = dict[str, Any]

PERSONA: Final = "You take care of one step of a longer call: you get {noun} from the user."
TEMPLATE: Final = """\
{persona}
{_heard}
As soon as you have a new guess at {_noun}, call `{_update}` with it, before you say anything. Take
only what the user said, and never make anything up. Where it stays unclear, ask for one part at a
time.
{_confirming}
{_hidden}
When the user does not want to give it, call `{_decline}`.
Speak in short plain sentences, without lists, markup or examples. Leave all else for later.
{extra}"""
CONFIRM: Final = "Have the user confirm it; call `{confirm}` only when they have."
REPEAT: Final = "Have the user say it a second time; call `{confirm}` with what they said then."
HIDE: Final = "It is confidential: never say it aloud, not even a part of it."


@dataclass(frozen=True, slots=True)
class Field:
    """One argument of an `update_…` tool."""

    name: str
    about: str
    kind: Literal["string", "integer"] = "string"
    required: bool = True

    def read(self, value: object) -> str | int:
        """ToolError when it cannot be of this kind; models write numbers as text."""
        if self.kind == "string":
            return str(value)
        try:
            return int(str(value).strip())
        except ValueError:
            raise llms.ToolError(f"{self.name} must be a whole number") from None


@dataclass(frozen=True, slots=True)
class Form:
    """What a task asks for.

    `noun` is it in a sentence, `tool` the end of its tools' names, `spoken` and `typed` how it
    comes in by voice and by keyboard. What is `secret` is repeated by the user, never by the
    agent, and is kept out of histories, events and records.
    """

    noun: str
    tool: str
    fields: tuple[Field, ...]
    decline: str
    spoken: str
    typed: str = "The user types it."
    ask: str = ""
    secret: bool = False

    @property
    def asking(self) -> str:
        return self.ask or (
            f"Ask the user for {self.noun}. If it was said before in this conversation, record it "
            f"with `update_{self.tool}` instead."
        )


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What was understood: the result, how it is shown to the model, and how to spell it out."""

    result: T
    shown: str
    slowly: str


class Missing(Unreadable):
    """What was said is good, and is not all; it is kept."""


class FormOptions(TypedDict, total=False):
    """What every ready-made task takes, by LiveKit's names."""

    instructions: NotGivenOr[Told]
    extra_instructions: str
    chat_ctx: NotGivenOr[llms.ChatContext]
    turn_detection: NotGivenOr[TurnDetectionMode | None]
    tools: NotGivenOr[list[llms.Tool | llms.Toolset]]
    stt: NotGivenOr[stt.STT[Any] | None]
    vad: NotGivenOr[vad.VAD | None]
    llm: NotGivenOr[llms.LLM[Any] | llms.RealtimeModel | None]
    tts: NotGivenOr[tts.TTS[Any] | None]
    allow_interruptions: NotGivenOr[bool]
    require_confirmation: NotGivenOr[bool]
    require_explicit_ask: bool


class FormTask(AgentTask[T]):
    """Fills in one form. Mutable state: the fields so far, what they were understood as, in which
    speech, and whether it has been read back before."""

    def __init__(
        self, form: Form, *, verify_spelling: bool = False, **options: Unpack[FormOptions]
    ) -> None:
        self._form = form
        confirmation = options.pop("require_confirmation", NOT_GIVEN)
        self._confirmation: NotGivenOr[bool] = True if verify_spelling else confirmation
        self._slowly = verify_spelling
        self._given: Given = {}
        self._entry: Entry[T] | None = None
        self._entered: SpeechHandle | None = None
        flags = llms.ToolFlag.IGNORE_ON_ENTER
        updating = flags if options.pop("require_explicit_ask", False) else llms.ToolFlag.NONE
        told = self._instructed(
            options.pop("instructions", NOT_GIVEN), options.pop("extra_instructions", "")
        )
        tools = [
            *arguments.said(options.pop("tools", NOT_GIVEN), []),
            self._updating(form.tool, form.noun, form.fields, updating),
            *self._leaving(flags),
        ]
        agent: Any = {name: value for name, value in options.items() if value is not NOT_GIVEN}
        super().__init__(instructions=told, tools=tools, **agent)
        self._confidential = form.secret

    # For those who make a form.

    def _read(self, given: Given) -> Entry[T]:
        """The fields so far, understood; raises Unreadable, or Missing when some are missing."""
        raise NotImplementedError

    def _leaving(self, flags: llms.ToolFlag) -> list[llms.Tool | llms.Toolset]:
        """The tools that end it without a result."""

        async def decline(ctx: RunContext[Any], given: Given) -> None:
            self._finish(llms.ToolError(f"couldn't get {self._form.noun}: {given['reason']}"))

        about = f"The user does not want to give {self._form.noun}."
        return [tool(self._form.decline, about, (REASON,), decline, flags)]

    @property
    def _today(self) -> date:
        """The date by the session's clock."""
        return datetime.fromtimestamp(self.session.conversation.memory.wall()).date()

    # The steps.

    async def on_enter(self) -> None:
        self.session.generate_reply(instructions=self._form.asking)

    def _updating(
        self, name: str, noun: str, fields: tuple[Field, ...], flags: llms.ToolFlag
    ) -> llms.Tool:
        about = f"Record {noun}, as the user has said it so far or corrected it."
        return tool(f"update_{name}", about, fields, self._update, flags)

    async def _update(self, ctx: RunContext[Any], given: Given) -> str | None:
        """Take what was said; without need of a confirmation, that is all."""
        self._hide(ctx)
        given = {**self._given, **given}
        try:
            entry = self._read(given)
        except Missing as missing:
            self._given = given
            return str(missing)
        except Unreadable as wrong:
            raise llms.ToolError(str(wrong)) from None
        self._given, self._entry, self._entered = given, entry, ctx.speech_handle
        if not self._to_confirm(ctx):
            self._finish(entry.result)
            return None
        confirm = self._confirming(entry)
        await self.update_tools([*(t for t in self.tools if t.id != confirm.id), confirm])
        return self._next(entry, confirm.id)

    def _next(self, entry: Entry[T], confirm: str) -> str:
        if self._form.secret:
            return (
                f"Recorded. Ask the user to say {self._form.noun} once more, do not say it "
                f"yourself, and call `{confirm}` with what they say."
            )
        slowly, self._slowly = self._slowly, True
        how = f"Spell it out to the user: {entry.slowly}" if slowly else "Say it back to the user."
        return (
            f"Recorded: {entry.shown}\n{how}\nAsk whether it is right. "
            f"Do not call `{confirm}` before the user has answered."
        )

    def _confirming(self, entry: Entry[T]) -> llms.Tool:
        """It is offered when there is something to confirm, so that no model can confirm before."""
        form = self._form
        again = [Field(f"repeated_{f.name}", f"Said again: {f.about}", f.kind) for f in form.fields]

        async def confirm(ctx: RunContext[Any], given: Given) -> str | None:
            self._hide(ctx)
            if entry is not self._entry:
                return f"It has changed since; ask the user to confirm {form.noun} as it is now."
            if ctx.speech_handle is self._entered:
                return "The user has not answered yet; ask whether it is right, and wait."
            if form.secret and not self._same(entry, given):
                return "That is not what was said before; ask the user to say it again."
            self._finish(entry.result)
            return None

        about = f"The user has said {form.noun} again." if form.secret else "The user has agreed."
        fields = tuple(again) if form.secret else ()
        return tool(f"confirm_{form.tool}", about, fields, confirm, llms.ToolFlag.NONE)

    def _same(self, entry: Entry[T], given: Given) -> bool:
        again = {name.removeprefix("repeated_"): value for name, value in given.items()}
        try:
            return self._read(again).result == entry.result
        except Unreadable:
            return False

    def _finish(self, result: T | Exception) -> None:
        if not self.done():  # two calls of one step may both end it
            self.complete(result)

    def _to_confirm(self, ctx: RunContext[Any]) -> bool:
        if self._confirmation is not NOT_GIVEN:
            return bool(self._confirmation)
        return ctx.speech_handle.input_details.modality == "audio"

    def _hide(self, ctx: RunContext[Any]) -> None:
        """A secret stays in this task: histories and events show that it was given, not what."""
        if self._form.secret:
            call = ctx.function_call
            call.arguments = json.dumps(dict.fromkeys(json.loads(call.arguments), HIDDEN))

    def _instructed(self, given: NotGivenOr[Told], extra: str) -> str | Instructions:
        form, told = self._form, arguments.said(given, WorkflowInstructions(extra=extra))
        if not isinstance(told, WorkflowInstructions):
            return cast("str | Instructions", told)
        confirm = (REPEAT if form.secret else CONFIRM).format(confirm=f"confirm_{form.tool}")
        asked = self._confirmation
        return told.resolve(
            template=TEMPLATE,
            default_persona=PERSONA.format(noun=form.noun),
            _heard=Instructions(audio=form.spoken, text=form.typed),
            _noun=form.noun,
            _update=f"update_{form.tool}",
            _confirming=Instructions(
                audio="" if asked is not NOT_GIVEN and not asked else confirm,
                text=confirm if asked is not NOT_GIVEN and asked else "",
            ),
            _hidden=HIDE if form.secret else "",
            _decline=form.decline,
        )


REASON: Final = Field("reason", "Why, in a few words.")


def tool(
    name: str,
    about: str,
    fields: tuple[Field, ...],
    act: Callable[[RunContext[Any], Given], Awaitable[str | None]],
    flags: llms.ToolFlag,
) -> llms.Tool:
    """A tool whose arguments are those fields, read as what they are to be."""
    schema = {
        "name": name,
        "description": about,
        "parameters": {
            "type": "object",
            "properties": {f.name: {"type": f.kind, "description": f.about} for f in fields},
            "required": [f.name for f in fields if f.required],
        },
    }

    @function_tool(raw_schema=schema, flags=flags)
    async def filled(raw_arguments: dict[str, object], ctx: RunContext[Any]) -> str | None:
        given = {f.name: f.read(v) for f in fields if (v := raw_arguments.get(f.name)) is not None}
        for field in fields:
            if field.required and field.name not in given:
                raise llms.ToolError(f"{field.name} is missing; ask for it")
        return await act(ctx, given)

    return filled
