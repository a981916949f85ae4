"""LiveKit Inference's language model, which says what it would else leave out in silence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from livekit.agents import NOT_GIVEN, NotGiven, inference

from antiphon.nodes import inference_models

if TYPE_CHECKING:
    from livekit.agents import NotGivenOr, llm

logger = logging.getLogger("antiphon.inference")


class LLM(inference.LLM):
    """The same, with its name and provider looked at when it is made.

    Mutable state: the arguments it was given for every request, and what was told of them.
    """

    def __init__(
        self,
        model: inference.LLMModels | str,
        *,
        provider: str | None = None,
        extra_kwargs: Any = None,
        **more: Any,
    ) -> None:
        inference_models.check("llm", model)
        inference_models.check_provider(provider)
        super().__init__(model, provider=provider, extra_kwargs=extra_kwargs, **more)
        self._given: dict[str, Any] = dict(extra_kwargs or {})
        self._told: set[tuple[str, str]] = set()
        self._tell(self._given)

    @classmethod
    def from_model_string(cls, model: str) -> LLM:
        return cls(model)

    def update_options(self, *, extra_kwargs: NotGivenOr[Any] = NOT_GIVEN, **more: Any) -> None:
        super().update_options(extra_kwargs=extra_kwargs, **more)
        if not isinstance(extra_kwargs, NotGiven):
            self._given = dict(extra_kwargs)
        self._tell(self._given)

    def chat(
        self,
        *,
        tools: list[llm.Tool] | None = None,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
        **more: Any,
    ) -> inference.LLMStream:
        given = dict(extra_kwargs) if isinstance(extra_kwargs, dict) else {}
        self._tell(given | self._given, tools)
        if not tools and tool_choice not in (NOT_GIVEN, None, "none", "auto"):
            self._tell_of("tool_choice", " without tools")
        return super().chat(tools=tools, tool_choice=tool_choice, extra_kwargs=extra_kwargs, **more)

    def _tell(self, given: dict[str, Any], tools: list[llm.Tool] | None = None) -> None:
        for name in inference_models.dropped(self.model, given, tools):
            self._tell_of(name, " beside tools" if tools else "")

    def _tell_of(self, name: str, when: str) -> None:
        if (self.model, name) not in self._told:
            self._told.add((self.model, name))
            logger.warning("%s takes no %s%s: it is left out", self.model, name, when)
