"""Tests of realtime models run like those of the other providers: real sockets, counted time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.providers.conftest import (
    OF_OTHERS,
    _nothing_leaves_this_machine,
    pytest_asyncio_loop_factories,
    pytest_runtest_call,
)

__all__ = [
    "_nothing_leaves_this_machine",
    "pytest_asyncio_loop_factories",
    "pytest_runtest_call",
]

# Google's plugin uses an argument that Google's client wants to rename.
LIVE: Final = "ignore:Setting `LiveConnectConfig.generation_config`:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for warning in (*OF_OTHERS, LIVE):
                item.add_marker(pytest.mark.filterwarnings(warning))
