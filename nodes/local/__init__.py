"""The engines that need no key: hearing, a voice and a stand-in for a mind, all on this machine.

`"local/pocketsphinx"` and the like name them where a session takes a model string; "local/" and
"local/auto" take the best that is installed. Importing this loads no engine: each does when it is
asked for, and one whose library is missing says which command brings it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from antiphon.pipeline.errors import UsageError

if TYPE_CHECKING:
    from antiphon.nodes.local.llm import LLM
    from antiphon.nodes.local.stt import PocketsphinxSTT
    from antiphon.nodes.local.tts import TTS
    from antiphon.nodes.local.vad import WebRTCVAD

PREFIX = "local/"
NAMES = {
    "vad": ("webrtcvad",),
    "stt": ("pocketsphinx",),
    "tts": ("flite", "espeak"),
    "llm": ("brain",),
}
"""What may follow "local/" in each slot, besides "" and "auto"."""


def local_vad(name: str = "auto") -> WebRTCVAD:
    """The voice activity detector called "local/<name>"."""
    _checked("vad", name)
    from antiphon.nodes.local.vad import WebRTCVAD, available

    available()
    return WebRTCVAD()


def local_stt(name: str = "auto") -> PocketsphinxSTT:
    """The speech recogniser called "local/<name>"."""
    _checked("stt", name)
    from antiphon.nodes.local.stt import PocketsphinxSTT, available

    available()
    return PocketsphinxSTT()


def local_tts(name: str = "auto") -> TTS:
    """The voice called "local/<name>"; "flite:slt" or "espeak:de" chooses one of an engine's."""
    engine, _, voice = name.removeprefix(PREFIX).partition(":")
    _checked("tts", engine)
    from antiphon.nodes.local.tts import TTS

    match engine:
        case "flite" | "espeak":
            return TTS(engine=engine, voice=voice or None)
        case _:
            return TTS(voice=voice or None)


def local_llm(name: str = "auto") -> LLM:
    """The language model called "local/<name>"."""
    _checked("llm", name)
    from antiphon.nodes.local.llm import LLM

    return LLM()


def honesty(*models: object) -> list[str]:
    """One line for each of `models` that is built in: how good it honestly is.

    For a session to log when it starts; models from elsewhere are passed over.
    """
    lines = []

    for model in models:
        module = type(model).__module__
        if module.startswith(f"{__name__}."):
            # A voice differs by engine and says it itself; the others are one to a module.
            line = getattr(model, "quality", None) or getattr(sys.modules[module], "QUALITY", None)
            lines += [str(line)] if line else []

    return lines


def _checked(slot: str, name: str) -> None:
    """Raise UsageError, listing what there is, for a name that no engine has."""
    name = name.removeprefix(PREFIX)
    if name not in ("", "auto", *NAMES[slot]):
        known = ", ".join(f"{PREFIX}{known}" for known in ("auto", *NAMES[slot]))
        raise UsageError(f"no built-in {slot} is called {PREFIX + name!r}; there is: {known}")
