"""Front ends of LiveKit's, in a real browser: they hear an agent, and show it, as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from antiphon import Agent
from antiphon.nodes import local
from antiphon.pipeline.errors import AntiphonError
from antiphon.simulate import ScriptedLLM
from tests.browser import pages, tab
from tests.jobs.workers import at_work
from tests.nodes.local.test_stt import errors
from tests.rooms.holding import call
from tests.rooms.test_engines import REPLIES, WRONG, plain, recognised

if TYPE_CHECKING:
    from tests.livekit_server import LiveKitServer

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(180)]

SAMPLES = Path(__file__).parents[2] / "samples"
CALLER = SAMPLES / "callers" / "hello.wav"
PATIENCE = 40_000  # milliseconds


async def test_a_page_of_livekit_client_alone_talks_hears_and_shows_state_and_words(
    livekit_server: LiveKitServer, name: str, tmp_path: Path
) -> None:
    try:
        ears, voice = local.local_stt(), local.local_tts("flite:rms")
    except AntiphonError as error:
        pytest.skip(str(error))
    agent = Agent(instructions="You are Ada.", stt=ears, llm=ScriptedLLM(REPLIES), tts=voice)
    with pages(livekit_server) as url:
        async with (
            call(livekit_server, name, agent, join=False) as held,
            tab(CALLER, tmp_path) as seen,
        ):
            await seen.page.goto(f"{url}/plain?room={name}")
            await seen.watch("#state")
            await seen.page.get_by_role("button", name="Call").click()
            await seen.listen()
            await held.caller.until(lambda: len(held.history("assistant")) == 3, PATIENCE / 1000)
            sound = await seen.heard()
            said = await seen.page.locator("p.agent").all_inner_texts()
            asked = await seen.page.locator("p.you").all_inner_texts()
            states = await seen.texts("#state")
    assert held.history("user")[:3] == ["hello", "what time is it", "many thanks goodbye"]
    assert [" ".join(plain(text)) for text in asked][:3] == held.history("user")[:3]
    assert [text.strip() for text in said][:3] == held.history("assistant")[:3]
    assert {"listening", "thinking", "speaking"} <= set(states)
    words = [word for text in said for word in plain(text)]
    found = await recognised(local.local_stt(), sound)
    assert errors(words, found) <= WRONG * len(words), (words, found)


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
                page.set_default_timeout(PATIENCE)
                await page.goto(f"{url}/?room={name}")
                await seen.watch(".state")
                await seen.watch("li.agent:last-child")
                await page.get_by_role("button", name="Call").click()
                await seen.listen()
                await page.locator("li.you", has_text="what time is it").first.wait_for()
                await (
                    page.locator("li.agent", has_text="o'clock")
                    .or_(page.locator("li.agent", has_text="in the"))
                    .first.wait_for()
                )
                bars = page.locator(".lk-audio-bar-visualizer").first
                await page.wait_for_selector("[data-state=speaking]")
                shown = await bars.get_attribute("data-lk-va-state")
                await page.screenshot(path=tmp_path / "page.png")
                states = await seen.texts(".state")
                words = await seen.texts("li.agent:last-child")
                sound = await seen.heard()
    assert {"connecting", "listening", "speaking"} <= set(states)
    assert shown == "speaking"
    assert "Hello," in words
    assert any(later.startswith(word) for word, later in zip(words, words[1:], strict=False))
    assert abs(sound).max() > 3000
