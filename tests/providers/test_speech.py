"""Recognisers and voices in a call, over real sockets, on their plugins' own code."""

from __future__ import annotations

import pytest

from antiphon.conformance import Check, Provider, tried
from antiphon.conformance.hearing import HEARING, RECOGNISERS
from antiphon.conformance.speaking import SPEAKING, VOICES

# Of the plugins' own doing.
UNHEARD = {("openai stt", "silence"): "the caller was not heard 15 s later"}  # it waits 30 s
UNCUT = {("cartesia", "barge-in"): "nothing of it is heard"}  # its server is not told to stop


async def does(provider: Provider, check: Check, known: str | None) -> None:
    result = await tried(provider, check)
    if known is not None:
        assert result.outcome == "no", "it does now: take it from the list"
        assert known in result.note
    elif check.name in provider.untried:
        assert result.outcome == "untried"
    else:
        assert result.outcome == "yes", result.note


@pytest.mark.parametrize("check", HEARING, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", RECOGNISERS, ids=str)
async def test_a_recogniser_does_in_a_call_what_it_must(provider: Provider, check: Check) -> None:
    await does(provider, check, UNHEARD.get((provider.name, check.name)))


@pytest.mark.parametrize("check", SPEAKING, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", VOICES, ids=str)
async def test_a_voice_does_in_a_call_what_it_must(provider: Provider, check: Check) -> None:
    await does(provider, check, UNCUT.get((provider.name, check.name)))
