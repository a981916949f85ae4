"""A model of one's own as the suite takes it: found by its name, and made as it likes to be."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from antiphon.conformance.bedrock import Converse
from antiphon.conformance.chat import Chat
from antiphon.conformance.claude import Messages
from antiphon.conformance.gemini import Gemini
from antiphon.conformance.mistral import Conversations
from antiphon.conformance.provider import Provider
from antiphon.conformance.responses import Responses
from antiphon.pipeline.errors import UsageError
from antiphon.program import blame

if TYPE_CHECKING:
    from collections.abc import Callable

    from antiphon.conformance.wire import Speaks

SPEAKS: Final[dict[str, Callable[[], Speaks]]] = {
    "chat": Chat,
    "responses": Responses,
    "anthropic": Messages,
    "gemini": Gemini,
    "bedrock": Converse,
    "mistral": Conversations,
}
"""The protocols of the suite's own servers, each at the path and with the key of its provider."""


def own(make: Callable[..., Any], speaks: str = "chat", name: str = "") -> tuple[Provider, bool]:
    """The provider that a function makes models for, and whether it asks the suite's server.

    It does if the function takes an argument, which is the server's address.
    """
    try:
        takes = [
            each
            for each in inspect.signature(make).parameters.values()
            if each.default is each.empty
            and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        raise UsageError(f"{name or make} cannot be called") from None
    if len(takes) > 1:
        raise UsageError(f"{name} takes {len(takes)} arguments; it is given the server's address")
    asks = len(takes) == 1
    whole: Callable[[str], Any] = make if asks else lambda _: make()
    return Provider(name or make.__name__, whole, SPEAKS[speaks], model=""), asks


def found(target: str) -> Any:
    """What "module:name" or "file.py:name" names; UsageError in one line where it is not there."""
    where, colon, name = target.rpartition(":")
    if not colon or not where or not name:
        raise UsageError(f"{target!r} names no function: write my_module:make_llm")
    path = Path(where)
    folder, module = (path.parent, path.stem) if path.suffix == ".py" else (Path(), where)
    sys.path.insert(0, str(folder.resolve()))
    try:
        importlib.invalidate_caches()
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise UsageError(f"{where} needs {error.name}, which is not installed") from error
        raise UsageError(f"there is no module {where} in {folder.resolve()}") from error
    except Exception as error:  # the module's own
        raise UsageError(f"{where} could not be loaded: {blame(error, path)}") from error
    finally:
        sys.path.pop(0)
    if not hasattr(loaded, name):
        raise UsageError(f"{where} has no {name}")
    return getattr(loaded, name)
