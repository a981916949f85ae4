"""The engines' names after "local/", and what is said when one is not there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from antiphon.nodes.local import honesty, local_llm, local_stt, local_tts, local_vad
from antiphon.nodes.local.llm import LLM
from antiphon.pipeline.errors import NodeUnavailable, UsageError

ENGINES = ("webrtcvad", "pocketsphinx", "espeakng_loader")


@pytest.mark.parametrize("name", ["", "auto", "brain", "local/brain"])
def test_a_name_and_its_absence_mean_the_built_in_model(name: str) -> None:
    assert isinstance(local_llm(name), LLM)


@pytest.mark.parametrize(
    ("name", "model"), [("flite", "local/flite"), ("espeak:de", "local/espeak"), ("auto", "local/")]
)
def test_a_voice_is_named_by_engine_and_voice(name: str, model: str) -> None:
    try:
        assert local_tts(name).model.startswith(model)
    except NodeUnavailable as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("load", [local_vad, local_stt, local_tts, local_llm])
def test_an_unknown_name_is_refused_with_the_names_there_are(load: object) -> None:
    assert callable(load)
    with pytest.raises(UsageError, match=r"'local/whisper'; there is: local/auto, local/\w+"):
        load("whisper")


def test_every_built_in_engine_says_in_one_line_how_good_it_is() -> None:
    models: list[object] = [local_llm(), local_vad()]
    try:
        models.append(local_tts())
    except NodeUnavailable as missing:
        pytest.skip(str(missing))
    if importlib.util.find_spec("pocketsphinx") is not None:
        models.append(local_stt())

    lines = honesty(*models, object(), None)
    assert len(lines) == len(models)
    assert all(line and "\n" not in line for line in lines)


def test_importing_the_package_loads_no_engine() -> None:
    program = (
        "import sys, antiphon, antiphon.nodes.local;"
        f"print(*[name for name in {ENGINES} if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == ""


def test_a_missing_wheel_names_the_command_that_brings_it() -> None:
    program = (
        "import sys; sys.modules['espeakng_loader'] = None\n"
        "import ctypes\n"
        "class Without(ctypes.CDLL):\n"
        "    def __init__(self, name, *more, **options):\n"
        "        if 'espeak' in str(name): raise OSError('not on this machine')\n"
        "        super().__init__(name, *more, **options)\n"
        "ctypes.CDLL = Without\n"
        "from antiphon.nodes.local import local_tts\n"
        "try: local_tts('espeak')\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert 'pip install "antiphon[local]"' in said
