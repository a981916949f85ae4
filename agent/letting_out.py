"""For an `llm_node` that keeps a state: was its answer let out, or thrown away?

An answer may be prepared while the user is still speaking, and thrown away when they go on; the
model is asked again then. What such a call has changed must not last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.pipeline.errors import UsageError
from antiphon.pipeline.reply import SPEAKING

if TYPE_CHECKING:
    from collections.abc import Callable


def when_decided(tell: Callable[[bool], object]) -> None:
    """Inside `llm_node`: have `tell` called once with True when the first of this answer is heard
    (or, where it is nothing but calls of tools, when it is complete), with False when it ends
    before that, because it was thrown away, cut or failed.

    It comes before `llm_node` is called for the next turn or the next step. What was heard in the
    end is in the history: see the event `conversation_item_added`.
    """
    reply = SPEAKING.get()
    if reply is None:
        raise UsageError("when_decided() is for llm_node, while a reply is made there")
    reply.step.fate.when(tell)
