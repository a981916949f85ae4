"""Stand-ins for words that only a realtime model hears.

The turn machine ends turns and replies by words. Where nobody but the model hears the words, the
machine is told of a stand-in, a different one for each voice; it is taken out again of whatever
leaves the machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from antiphon.agent import Agent

_STAND_IN: Final = re.compile(r"\[unheard \d+\]\s*")


def stand_in(number: int) -> str:
    """For the words of the voice with that number."""
    return f"[unheard {number}]"


def known(text: str) -> str:
    """The words that somebody here has heard."""
    return _STAND_IN.sub("", text).strip() if "[" in text else text


def recognised(agent: Agent) -> bool:
    """Somebody beside the model hears words."""
    return agent.stt is not None or agent._overrides("stt_node")
