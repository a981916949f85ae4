"""Front ends of LiveKit's, in a real browser: they hear an agent, and show it, as they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from antiphon import Agent
from antiphon.nodes import local
from antiphon.pipeline.errors import AntiphonError
from antiphon.simulate import ScriptedLLM
from tests.browser import PATIENCE, pages, tab
from tests.jobs.workers import at_work
from tests.rooms.holding import call
from tests.rooms.test_engines import REPLIES, plain, recognised

if TYPE_CHECKING:
    from tests.browser import Tab
    from tests.livekit_server import LiveKitServer
    from tests.rooms.holding import Held

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(500)]

SAMPLES = Path(__file__).parents[2] / "samples"
CALLER = SAMPLES / "callers" / "hello.wav"
WORDS = {"weather", "cold", "windy", "today"}  # of the reply


def has_replied(held: Held, times: int) -> bool:
    return held.history("assistant").count(REPLIES[0]) >= times


async def understood(held: Held, seen: Tab) -> set[str]:
    """The words that the page has played, once all were understood, or the reply was said often:
    on a busy machine sound has gaps."""
    found: set[str] = set()
    for times in range(2, 8):
        await held.caller.until(partial(has_replied, held, times), PATIENCE / 1000)
        found = set(await recognised(local.local_stt(), await seen.heard()))
        if found >= WORDS:
            break
    return found


async def test_a_page_of_livekit_client_alone_talks_hears_and_shows_state_and_words(
    livekit_server: LiveKitServer, name: str, tmp_path: Path
) -> None:
    try:
        ears, voice = local.local_stt(), local.local_tts("flite:rms")
    except AntiphonError as error:
        pytest.skip(str(error))
    model = ScriptedLLM(lambda _: REPLIES[0])
    agent = Agent(instructions="You are Ada.", stt=ears, llm=model, tts=voice)
    with pages(livekit_server) as url:
        async with (
            call(livekit_server, name, agent, join=False) as held,
            tab(CALLER, tmp_path, again=True) as seen,
        ):
            await seen.page.goto(f"{url}/plain?room={name}")
            await seen.watch("#state")
            await seen.page.get_by_role("button", name="Call").click()
            await seen.listen()
            found = await understood(held, seen)
            said = await seen.page.locator("p.agent").all_inner_texts()
            asked = await seen.page.locator("p.you").all_inner_texts()
            states = await seen.texts("#state")
    finished = [text.strip() for text in said[:-1]]  # the last may be on its way
    assert finished
    assert finished == held.history("assistant")[: len(finished)]
    assert " ".join(plain(" ".join(asked))).startswith(held.history("user")[0])
    assert {"listening", "speaking"} <= set(states)
    assert found >= WORDS


async def test_livekits_components_for_voice_assistants_show_an_agent_as_it_speaks(
    livekit_server: LiveKitServer, name: str, tmp_path: Path
) -> None:
    try:
        local.local_tts()
    except AntiphonError as error:
        pytest.skip(str(error))
    program = tmp_path / "room.py"
    program.write_text((SAMPLES / "room.py").read_text())
    with at_work(program, livekit_server, "--port", 0, command="dev") as worker:
        await worker.registered()
        with pages(livekit_server) as url:
            async with tab(CALLER, tmp_path, again=True) as seen:
                page = seen.page
                await page.goto(f"{url}/?room={name}")
                await seen.watch(".state")
                await seen.watch("li.agent:last-child")
                await page.get_by_role("button", name="Call").click()
                await seen.listen()
                await page.locator("li.you", has_text="what time is it").first.wait_for()
                await page.locator("li.agent", has_text="It is").first.wait_for()
                await page.locator(".lk-audio-bar-visualizer[data-lk-va-state=speaking]").wait_for()
                await page.screenshot(path=tmp_path / "page.png")
                states = await seen.texts(".state")
                words = await seen.texts("li.agent:last-child")
                sound = await seen.heard()
    assert {"connecting", "listening", "speaking"} <= set(states)
    assert any(" " not in word for word in words)  # the first of a reply, and then more of it
    assert any(later.startswith(word) for word, later in zip(words, words[1:], strict=False))
    assert abs(sound).max() > 3000
