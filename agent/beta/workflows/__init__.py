"""The ready-made tasks, by LiveKit's module path."""

from antiphon.workflows import *  # noqa: F403
from antiphon.workflows import __all__ as __all__
