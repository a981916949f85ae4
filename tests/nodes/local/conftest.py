"""A voice to be recognised: flite's, made once for each sentence."""

import shutil
import subprocess
import wave
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., NDArray[np.int16]]:
    """Speak with the voice rms, or another, 16-bit mono at 16 kHz."""
    if shutil.which("flite") is None:
        pytest.skip("no voice to recognise: apt-get install flite")
    folder = tmp_path_factory.mktemp("voice")

    def speak(text: str, voice: str = "rms") -> NDArray[np.int16]:
        path = folder / f"{voice} {text}.wav"
        if not path.exists():
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", path], check=True)
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)

    return speak
