"""Expressive speech: the model is told which markers its voice knows, and writes them.

What a marker is, and where it goes, is in `nodes.markers`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.agents import llm
from livekit.agents.llm.chat_context import Instructions

from antiphon.arguments import said
from antiphon.memory import SYSTEM, Modality
from antiphon.nodes.markers import visible

if TYPE_CHECKING:
    from livekit.agents import ExpressiveOptions, SpeechSteeringOptions, tts

    from antiphon.agent import Agent

logger = logging.getLogger("antiphon.session")

GUIDE: Final = "lk.expressive.instructions"  # LiveKit's id for this message
TEMPLATE: Final = (
    "Your words are spoken by a voice that takes directions. Write these markers into your answer "
    "where they make it sound more natural:\n\n{tts.markup.llm_instructions}"
)
_FILLERS: Final = {
    True: "A natural filler (um, well) is welcome now and then, twice in an answer at most.",
    False: "Use no fillers such as um or uh.",
}


def options(agent: Agent) -> ExpressiveOptions | None:
    """What is asked for, by the agent or else by the session; None: plain speech."""
    asked: object = said(agent.expressive, agent.session.expressive)
    if isinstance(asked, bool):
        asked = {} if asked else None
    return cast("ExpressiveOptions | None", asked)


def markup(agent: Agent) -> tts.TTS.Markup | None:
    """The markers that the agent's voice knows, where it is to be expressive."""
    engine = agent.tts
    if engine is None or options(agent) is None or engine.markup.llm_instructions() is None:
        return None
    return engine.markup


class Expressive:
    """Mutable state: whether a model was told of markers, and the voices that were found not to
    know any."""

    def __init__(self) -> None:
        self._told = False
        self._plain: set[str] = set()

    def check(self, agent: Agent) -> None:
        """Log, once for each voice, that it does not know what is asked for."""
        engine = agent.tts
        if engine is None or options(agent) is None or engine.markup.llm_instructions() is not None:
            return
        if engine.label not in self._plain:
            self._plain.add(engine.label)
            logger.warning("expressive= has no effect: %s knows no markers", engine.label)

    def prompt(self, context: llm.ChatContext, agent: Agent, modality: Modality) -> llm.ChatContext:
        """`context` as a model is to see it: with the guide to the markers; or, where there is none
        any more, without the markers of earlier answers, which it would imitate."""
        voice, asked = markup(agent), options(agent)
        if voice is not None and asked is not None:
            self._told = True
            _guide(context, _text(voice, asked, modality))
        elif self._told:
            context.items[:] = [_plain(item) for item in context.items if item.id != GUIDE]
        return context


def _guide(context: llm.ChatContext, text: str) -> None:
    """Right behind the instructions, so that both can stay in a provider's cache."""
    items = [item for item in context.items if item.id != GUIDE]
    at = next((n for n, item in enumerate(items) if item.id not in SYSTEM), len(items))
    guide = llm.ChatMessage(role="system", content=[text], id=GUIDE, created_at=0.0)
    context.items[:] = [*items[:at], guide, *items[at:]]


def _text(voice: tts.TTS.Markup, asked: ExpressiveOptions, modality: Modality) -> str:
    steering: SpeechSteeringOptions = {"disfluencies": True, **asked.get("speech_steering", {})}
    known = voice.llm_instructions(speech_steering=steering)
    template = asked.get("tts_instructions_template", TEMPLATE)
    told = template if isinstance(template, Instructions) else Instructions(template)
    data: dict[str, Any] = {"tts": {"markup": {"llm_instructions": known}}}
    rules = ["Delivery:", *(f"- {rule}" for rule in _rules(steering))]
    parts = [told.render(modality=modality, data=data), "\n".join(rules)]
    return "\n\n".join([*parts, asked.get("tts_instructions_append", "")]).strip()


def _rules(steering: SpeechSteeringOptions) -> list[str]:
    """What is asked of the delivery beside the markers, as sentences."""
    rules = [_FILLERS[bool(steering.get("disfluencies"))]]
    sounds, pace = steering.get("nonverbal_sounds", True), steering.get("pace", "normal")
    if sounds is False:
        rules.append("Make no sounds but words.")
    elif sounds is not True:
        without = [name.replace("_", " ") for name, wanted in sounds.items() if not wanted]
        rules += [f"No {', '.join(without)}."] if without else []
    if pace != "normal":
        rules.append(f"Speak at a {pace} pace.")
    return rules


def _plain(item: llm.ChatItem) -> llm.ChatItem:
    if not isinstance(item, llm.ChatMessage) or item.role != "assistant":
        return item
    content = [visible(part) if isinstance(part, str) else part for part in item.content]
    return item if content == item.content else item.model_copy(update={"content": content})
