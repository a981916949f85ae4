"""Tests of realtime models run like those of the other providers: real sockets, counted time."""

from __future__ import annotations

from typing import Final

import pytest

from tests.providers.conftest import (
    _nothing_leaves_this_machine,
    pytest_asyncio_loop_factories,
    pytest_runtest_call,
)

__all__ = [
    "_nothing_leaves_this_machine",
    "pytest_asyncio_loop_factories",
    "pytest_runtest_call",
]
