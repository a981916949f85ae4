"""What the ready-made tasks tell the model; each part can be replaced."""

from __future__ import annotations

from typing import Any

from livekit.agents import NOT_GIVEN, NotGivenOr
from livekit.agents.llm.chat_context import Instructions

from antiphon import arguments


class WorkflowInstructions(Instructions):
    """A task's own template, with another `persona` or an `extra` part; "" leaves a part out."""

    def __init__(
        self,
        audio: str = "",
        *,
        text: str | None = None,
        persona: NotGivenOr[Instructions | str] = NOT_GIVEN,
        extra: Instructions | str = "",
    ) -> None:
        super().__init__(audio=audio, text=text)
        self.persona = persona
        self.extra = extra

    def resolve(self, *, template: str, default_persona: str, **format_kwargs: Any) -> Instructions:
        """Fill the template: `{persona}`, `{extra}`, and what else is named in it."""
        persona = self.persona if arguments.given(self.persona) else default_persona
        return Instructions.resolve_template(
            template, persona=persona, extra=self.extra, **format_kwargs
        )
