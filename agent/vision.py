"""The option to send a picture with each turn: of which size, and as what."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from livekit.agents import llm
from livekit.agents.utils import images

from antiphon.arguments import count, one_of
from antiphon.nodes.bring import by_pip
from antiphon.pipeline.errors import ArgumentError, UsageError

if TYPE_CHECKING:
    from livekit import rtc

DETAIL = one_of("auto", "low", "high")
KINDS: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Vision:
    """What the user shows goes with each turn as a JPEG of `quality` that fits into `width` by
    `height` dots; a smaller picture stays as it is. `detail` is told to models that ask for it."""

    width: int = 768
    height: int = 768
    quality: int = 75
    detail: Literal["auto", "low", "high"] = "auto"

    def __post_init__(self) -> None:
        for name in ("width", "height", "quality"):
            count(name, getattr(self, name))
        DETAIL("detail", self.detail)
        if not (self.width and self.height and 1 <= self.quality <= 95):
            raise ArgumentError(f"{self}: write a size above 0, and a quality from 1 to 95")

    def encoded(self, picture: rtc.VideoFrame) -> llm.ImageContent:
        """A picture as it goes with a turn; takes some hundredths of a second."""
        size = None
        if picture.width > self.width or picture.height > self.height:
            size = images.ResizeOptions(self.width, self.height, "scale_aspect_fit")
        options = images.EncodeOptions(format="JPEG", resize_options=size, quality=self.quality)
        data = base64.b64encode(images.encode(picture, options)).decode()
        return llm.ImageContent(
            image=f"data:image/jpeg;base64,{data}", inference_detail=self.detail
        )


def seen(given: object) -> Vision | None:
    """What `vision=` was given: True is the default size; ArgumentError for what is neither."""
    if given is True:
        given = Vision()
    if given is None or given is False:
        return None
    if not isinstance(given, Vision):
        raise ArgumentError(f"vision={given!r}: write True, or Vision(width=…, height=…)")
    if find_spec("PIL") is None:
        raise UsageError(f"vision= needs Pillow: {by_pip('antiphon[vision]')}")
    return given


def image(data: bytes) -> llm.ImageContent:
    """A JPEG, PNG, GIF or WebP file's bytes, for the content of a message."""
    kind = next((name for head, name in KINDS.items() if data.startswith(head)), None)
    if kind is None:
        raise ArgumentError(f"image({data[:8]!r}…): these are no bytes of a JPEG, PNG, GIF or WebP")
    return llm.ImageContent(image=f"data:{kind};base64,{base64.b64encode(data).decode()}")
