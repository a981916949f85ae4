"""A browser with somebody at it: headless Chromium, whose microphone plays a recording.

`make browser` brings it, and what the pages are made of; where it is missing, what needs it is
skipped.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import subprocess
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
import soxr
from playwright.async_api import TimeoutError, async_playwright

from antiphon.nodes.wav import read_wav
from tests.jobs.workers import environment
from tests.livekit_server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from numpy.typing import NDArray
    from playwright.async_api import Page

    from tests.livekit_server import LiveKitServer

PAGE: Final = Path(__file__).parents[1] / "samples" / "page"
PATIENCE: Final = 200_000  # milliseconds: a machine may be busy
RATE: Final = 16_000  # of what a page hears
MICROPHONE: Final = 48_000
FLAGS: Final = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",  # the server of the tests is nowhere else
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]

# Notes each text that the element has had, and keeps what is heard of the agent.
WATCH: Final = """
selector => {
  const texts = (window.texts ??= {})[selector] = [];
  const note = () => {
    const text = document.querySelector(selector)?.innerText;
    if (text && text !== texts.at(-1)) texts.push(text);
  };
  new MutationObserver(note).observe(
    document.documentElement,
    { subtree: true, childList: true, characterData: true });
  note();
}
"""
LISTEN: Final = """
async rate => {
  const context = new AudioContext({ sampleRate: rate });
  const ear = `registerProcessor("ear", class extends AudioWorkletProcessor {
    process([[sound]]) { if (sound) this.port.postMessage(sound.slice()); return true; }
  })`;
  await context.audioWorklet.addModule(URL.createObjectURL(
    new Blob([ear], { type: "text/javascript" })));
  const node = new AudioWorkletNode(context, "ear");
  const heard = window.heard = [];
  node.port.onmessage = ({ data }) => heard.push(data);
  const stream = document.querySelector("audio").srcObject;
  context.createMediaStreamSource(stream).connect(node);
}
"""
HEARD: Final = """
() => {
  const sound = new Int16Array(heard.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of heard) for (const sample of part) sound[at++] = 32767 * sample;
  let bytes = "";
  for (const byte of new Uint8Array(sound.buffer)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
}
"""


class Tab:
    """A page that is open, and what was seen and heard of it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def watch(self, selector: str) -> None:
        """Note each text that element has from now on."""
        await self.page.evaluate(WATCH, selector)

    async def texts(self, selector: str) -> list[str]:
        texts: list[str] = await self.page.evaluate("selector => texts[selector]", selector)
        return texts

    async def listen(self) -> None:
        """Keep what is heard from now on of the agent."""
        try:
            await self.page.wait_for_selector("audio", state="attached")
        except TimeoutError as error:
            shown = await self.page.inner_text("body")
            raise AssertionError(f"no sound comes; the page shows: {shown!r}") from error
        await self.page.evaluate(LISTEN, RATE)

    async def heard(self) -> NDArray[np.int16]:
        """Of 16 kHz."""
        return np.frombuffer(base64.b64decode(await self.page.evaluate(HEARD)), np.int16)


def microphone(recording: Path, folder: Path) -> Path:
    """The recording as Chromium's microphone wants it."""
    sound = read_wav(recording)
    path = folder / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE)
        file.writeframes(soxr.resample(sound.samples, sound.rate, MICROPHONE).tobytes())
    return path


@contextlib.asynccontextmanager
async def tab(
    recording: Path, folder: Path, *flags: str, again: bool = False
) -> AsyncIterator[Tab]:
    """An empty page of a browser whose microphone says that, once or again and again."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no browser: make browser installs one")
    said = f"--use-file-for-fake-audio-capture={microphone(recording, folder)}"
    said += "" if again else "%noloop"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=[*FLAGS, said, *flags]
        )
        try:
            page = await browser.new_page()
            page.set_default_timeout(PATIENCE)
            yield Tab(page)
        finally:
            await browser.close()


@contextlib.contextmanager
def pages(server: LiveKitServer) -> Iterator[str]:
    """Serve the sample pages as a user does; where they are."""
    if not (PAGE / "built" / "page.js").exists():
        pytest.skip("the pages are not built: make browser does, once")
    port = free_port(socket.SOCK_STREAM)
    process = subprocess.Popen(
        [sys.executable, PAGE / "serve.py", "--port", str(port)],
        env=environment(server),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert str(port) in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
