"""The server of the sample page: it mints tokens, and for nobody else's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import jwt
import pytest

from tests.browser import pages

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = pytest.mark.realtime


async def test_each_call_of_the_page_gets_a_token_of_its_own_and_somebody_elses_page_none(
    livekit_server: LiveKitServer,
) -> None:
    with pages(livekit_server) as url:
        async with aiohttp.ClientSession() as browser:
            tickets = [await ticket(browser, f"{url}/token") for _ in range(2)]
            elsewhere = {"Host": "page.example"}
            async with browser.post(f"{url}/token", headers=elsewhere) as refused:
                assert refused.status == 403
    first, second = (
        jwt.decode(each["token"], livekit_server.secret, ["HS256"], {"verify_aud": False})
        for each in tickets
    )
    assert first["sub"] != second["sub"]
    assert first["video"]["room"] != second["video"]["room"]
    assert tickets[0]["url"] == livekit_server.url


async def ticket(browser: aiohttp.ClientSession, url: str) -> Any:
    async with browser.post(url) as answer:
        return await answer.json()
