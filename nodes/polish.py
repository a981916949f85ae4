"""Text transforms before speaking: LiveKit's filters by name, and anything of the user's.

Each chunk goes through the transforms by itself, so that a chunk and its sound stay a pair.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from typing import Final

from livekit.agents.voice.transcription.filters import filter_emoji, filter_markdown

from antiphon.pipeline.errors import ArgumentError
from antiphon.pipeline.foreign import finish

Transform = str | Callable[[AsyncIterable[str]], AsyncIterable[str]]

DEFAULT: Final[tuple[Transform, ...]] = ("filter_markdown", "filter_emoji")
_NAMED: Final[dict[str, Callable[[AsyncIterable[str]], AsyncIterable[str]]]] = {
    "filter_markdown": filter_markdown,
    "filter_emoji": filter_emoji,
}
# Text of which the named filters would change nothing, so they need not run.
_PLAIN: Final = re.compile(r"[\w\s.,;:!?'\"()$%&@/’“”…–—-]*", re.UNICODE)
_LINE_MARKUP: Final = re.compile(r"^\s*(?:[-+]|\d+\.)\s|__|---", re.MULTILINE)


class Polish:
    """Applies transforms to one chunk; None applies none."""

    def __init__(self, transforms: Sequence[Transform] | None = DEFAULT) -> None:
        self._named: list[Callable[[AsyncIterable[str]], AsyncIterable[str]]] = []
        self._own: list[Callable[[AsyncIterable[str]], AsyncIterable[str]]] = []
        if isinstance(transforms, str) or not isinstance(transforms, Sequence | None):
            raise ArgumentError(f"tts_text_transforms={transforms!r}: write a list")
        for transform in transforms or ():
            if not isinstance(transform, str):
                self._own.append(_stage(transform))
            elif transform in _NAMED:
                self._named.append(_NAMED[transform])
            else:
                raise ArgumentError(
                    f"no text transform {transform!r}; there are {', '.join(_NAMED)}"
                )

    async def __call__(self, chunk: str) -> str:
        plain = _PLAIN.fullmatch(chunk) and not _LINE_MARKUP.search(chunk)
        stages = self._own if plain else [*self._named, *self._own]
        if not stages:
            return chunk
        stream: AsyncIterable[str] = _once(chunk)
        for stage in stages:
            stream = stage(stream)
        try:
            return "".join([piece async for piece in stream])
        finally:
            await finish(stream)


def _stage(
    transform: Callable[[AsyncIterable[str]], AsyncIterable[str]],
) -> Callable[[AsyncIterable[str]], AsyncIterable[str]]:
    if not callable(transform):
        raise ArgumentError(
            f"tts_text_transforms=[{transform!r}]: write {' or '.join(map(repr, _NAMED))}, or a "
            f"function from an async iterable of str to another"
        )
    return transform


async def _once(chunk: str) -> AsyncGenerator[str, None]:
    yield chunk
