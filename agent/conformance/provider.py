"""A way to a language model: how it is made, where it asks, and the protocol that it speaks."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import llm

from antiphon.pipeline.errors import AntiphonError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping


KEY: Final = "secret-key"
"""What every server of the suite takes for a key, where the protocol has one."""


class NotInstalled(AntiphonError):
    """A plugin is not there; the message has the command that brings it."""


@dataclass(frozen=True, slots=True)
class Made:
    """How a program makes the model: what a table of providers shows, word for word."""

    constructor: str
    extra: str = ""  # of `pip install 'antiphon[…]'`
    reads: tuple[str, ...] = ()  # variables of the environment
    address: str = ""  # the argument or the variable that points it elsewhere


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """`make` takes the address of a server that speaks the provider's protocol.

    `variables` are set while the model is in use, "{url}" in them being that address.
    """

    name: str
    make: Callable[[str], Any]
    speaks: Callable[[], Any]
    model: str = "a-model"  # as its requests name it; "" where that is not looked at
    variables: Mapping[str, str] = field(default_factory=dict)
    kind: type[Any] = llm.LLM
    made: Made = field(default_factory=lambda: Made(""))
    untried: Mapping[str, str] = field(default_factory=dict)  # by check, why not
    faults: Mapping[str, str] = field(default_factory=dict)  # of its plugin, by check
    sees: bool = True  # it takes images
    fetches: bool = True  # it fetches them by their addresses
    close: Callable[[Any], Awaitable[object]] | None = None  # what its plugin leaves open

    def __str__(self) -> str:
        return self.name

    @asynccontextmanager
    async def at(self, url: str) -> AsyncGenerator[Any, None]:
        """The model, made to ask at `url`; closed afterwards."""
        with environment({name: text.format(url=url) for name, text in self.variables.items()}):
            model = self.make(url)
            if not isinstance(model, self.kind):
                gave = _article(type(model).__name__)
                raise AntiphonError(f"{self.name} gave {gave}, and no {self.kind.__name__}")
            try:
                yield model
            finally:
                await model.aclose()
                if self.close is not None:
                    await self.close(model)


def _article(kind: str) -> str:
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


@contextmanager
def environment(variables: Mapping[str, str]) -> Generator[None, None, None]:
    """These variables of the environment, while the block runs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
