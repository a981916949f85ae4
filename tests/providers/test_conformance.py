"""Every model of the documentation, in a call, over real sockets: what the README's table says."""

from __future__ import annotations

import pytest

from antiphon.conformance import CHECKS, PROVIDERS, Check, Provider, tried

KNOWN = {  # of the plugins' own doing, and in the README's table
    ("anthropic", "usage"): "16 tokens came out and 18 were counted",
    ("openai responses by websocket", "barge-in"): "later; nothing of it is heard",
    ("openai responses by websocket", "hiccup"): "it does not ask again",
    ("langchain", "hiccup"): "it does not ask again",
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("provider", PROVIDERS, ids=str)
async def test_a_model_does_in_a_call_what_it_must(provider: Provider, check: Check) -> None:
    result = await tried(provider, check)
    known = KNOWN.get((provider.name, check.name))
    if known is not None:
        assert result.outcome == "no", "it does now: take it from the list, and write the table"
        assert known in result.note
    elif check.name in provider.untried:
        assert result.outcome == "untried"
    else:
        assert result.outcome == "yes", result.note
