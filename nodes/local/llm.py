"""The rule-based stand-in behind LiveKit's `llm.LLM`: answers stream at a token rate."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING

from livekit.agents import APIConnectOptions, llm, utils
from livekit.agents.llm.utils import build_legacy_openai_schema
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr

from antiphon.nodes.local import toolcall
from antiphon.nodes.local.brain import Conversation, Turn, name_in, reply
from antiphon.nodes.local.toolcall import Call, ToolSpec
from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from typing import Any

QUALITY = "brain: no model, a few rules over keywords; it knows the time, sums and three stories"


class LLM(llm.LLM[str]):
    """A stand-in that says it is one: no model, no network, the same answer every time.

    `first_token` is how long it thinks, in seconds; after that it writes `tokens_per_second`.
    """

    def __init__(self, *, first_token: float = 0.0, tokens_per_second: float = 100.0) -> None:
        if first_token < 0 or tokens_per_second <= 0:
            raise UsageError(
                "first_token is seconds, 0 or more, and tokens_per_second more than 0; "
                f"not {first_token} and {tokens_per_second}"
            )

        super().__init__()
        self.first_token = first_token
        self.tokens_per_second = tokens_per_second

    @property
    def model(self) -> str:
        return "local/brain"

    @property
    def provider(self) -> str:
        return "antiphon"

    @property
    def quality(self) -> str:
        """One honest line about how good it is."""
        return QUALITY

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> Answer:
        return Answer(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            tool_choice=tool_choice,
        )


class Answer(llm.LLMStream):
    """One answer on its way out."""

    def __init__(
        self,
        model: LLM,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
        tool_choice: NotGivenOr[llm.ToolChoice],
    ) -> None:
        self._first_token = model.first_token
        self._pace = 1.0 / model.tokens_per_second
        self._tool_choice = tool_choice
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        chunk_id = utils.shortuuid("brain_")
        answer = think(self._chat_ctx, self._tools, self._tool_choice)
        await asyncio.sleep(self._first_token)
        written = 0

        if isinstance(answer, Call):
            call = llm.FunctionToolCall(
                name=answer.name,
                arguments=json.dumps(answer.arguments),
                call_id=utils.shortuuid("call_"),
            )
            self._send(chunk_id, llm.ChoiceDelta(role="assistant", tool_calls=[call]))
            written = 1
        else:
            for written, token in enumerate(re.findall(r"\s*\S+", answer), start=1):
                # Each token has its own time, so that lateness does not add up.
                due = begun + self._first_token + (written - 1) * self._pace
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                self._send(chunk_id, llm.ChoiceDelta(role="assistant", content=token))

        read = sum(len((m.text_content or "").split()) for m in self._chat_ctx.messages())
        usage = llm.CompletionUsage(
            completion_tokens=written, prompt_tokens=read, total_tokens=written + read
        )
        self._event_ch.send_nowait(llm.ChatChunk(id=chunk_id, usage=usage))

    def _send(self, chunk_id: str, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=chunk_id, delta=delta))


def think(
    chat_ctx: llm.ChatContext,
    tools: list[llm.Tool],
    tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
) -> str | Call:
    """What to say next, or which tool to call: a function of what it is given and the time."""
    if results := _results(chat_ctx):
        return " ".join(toolcall.tell(r.output, is_error=r.is_error) for r in results)

    chat = conversation(chat_ctx)
    if tool_choice != "none" and (
        decided := toolcall.decide(_specs(tools), chat, _forced(tool_choice))
    ):
        return decided

    return reply(chat)


def conversation(chat_ctx: llm.ChatContext) -> Conversation:
    """The part of a chat context that the brain understands."""
    turns: list[Turn] = []
    instructions = order = ""

    for message in chat_ctx.messages():
        text = message.text_content or ""
        if message.role == "user" or message.role == "assistant":
            turns.append(Turn(message.role, text))
            order = ""
        elif turns:
            order = text
        else:
            instructions = f"{instructions}\n{text}"

    # Instructions for one reply may come as the last line of the agent's own.
    order = order or "".join(instructions.splitlines()[-1:])
    return Conversation(tuple(turns), time.time(), name_in(instructions), order)


def _results(chat_ctx: llm.ChatContext) -> list[llm.FunctionCallOutput]:
    """The results of the tools called since anybody last spoke."""
    results: list[llm.FunctionCallOutput] = []

    for item in reversed(chat_ctx.items):
        if isinstance(item, llm.ChatMessage) and item.role in ("user", "assistant"):
            break
        if isinstance(item, llm.FunctionCallOutput):
            results.insert(0, item)

    return results


def _specs(tools: list[llm.Tool]) -> list[ToolSpec]:
    specs = []

    for tool in llm.ToolContext(tools).function_tools.values():
        if isinstance(tool, llm.FunctionTool):
            schema = build_legacy_openai_schema(tool, internally_tagged=True)
        else:
            schema = dict(tool.info.raw_schema)
        specs.append(
            ToolSpec(schema["name"], schema.get("description", ""), schema.get("parameters", {}))
        )

    return specs


def _forced(tool_choice: NotGivenOr[llm.ToolChoice]) -> str | None:
    match tool_choice:
        case {"function": {"name": str(name)}}:
            return name
        case "required":
            return "*"
        case _:
            return None
