"""Payment cards, by LiveKit's module path."""

from antiphon.workflows.cards import *  # noqa: F403
from antiphon.workflows.cards import __all__ as __all__
