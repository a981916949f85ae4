"""A real LiveKit server on loopback, one for all the tests of a process.

`make livekit-server` builds it once; where it is missing, what needs it is skipped.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from livekit import api

if TYPE_CHECKING:
    from collections.abc import Generator

BUILD: Final = Path(__file__).parents[1] / ".ci" / "livekit-server"
READY_WITHIN: Final = 20.0  # seconds; it needs about one
KEY: Final = "devkey"
SECRET: Final = "a-secret-of-at-least-32-characters"

# Every line keeps something on loopback: without the addresses the server picks the machine's own,
# without the STUN server (nothing listens there) it hands public ones to its clients, and a TCP
# port for media would listen everywhere. A machine that is busy with tests still gets its jobs.
CONFIGURATION: Final = """
port: {port}
bind_addresses: ["127.0.0.1"]
rtc:
  tcp_port: 0
  udp_port: {media}
  stun_servers: ["127.0.0.1:3478"]
  use_external_ip: false
  node_ip: 127.0.0.1
  enable_loopback_candidate: true
  interfaces: {{includes: ["lo"]}}
  ips: {{includes: ["127.0.0.0/8"]}}
agents: {{target_load: 5}}
keys: {{{key}: {secret}}}
logging: {{level: info}}
"""


@dataclass(frozen=True, slots=True)
class LiveKitServer:
    """A server that runs, and the way into its rooms."""

    process: subprocess.Popen[bytes]
    port: int
    key: str = KEY
    secret: str = SECRET

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()  # it has nothing to save, and waits for rooms to empty when asked
        self.process.wait()

    def token(self, identity: str, room: str, **more: Any) -> str:
        """For `identity` to join `room`; `kind` and `attributes` as on `AccessToken`."""
        token = api.AccessToken(self.key, self.secret).with_identity(identity)
        if "kind" in more:
            token = token.with_kind(more["kind"])
        if "attributes" in more:
            token = token.with_attributes(more["attributes"])
        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
        return token.with_grants(grants).to_jwt()

    def api(self) -> api.LiveKitAPI:
        return api.LiveKitAPI(self.url.replace("ws:", "http:"), self.key, self.secret)


def binary() -> Path:
    """Where `make livekit-server` puts it."""
    found = re.search(r"^version=(\S+)", BUILD.read_text(), re.MULTILINE)
    assert found is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "antiphon" / f"livekit-server-{found[1]}" / "livekit-server"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(folder: Path, port: int = 0, more: str = "") -> Generator[LiveKitServer]:
    """Run a server on ports of its own, or on this one, with `more` in its configuration; its log
    is in `folder`."""
    if not binary().exists():
        pytest.skip("there is no LiveKit server: make livekit-server builds it, once")
    port = port or free_port(socket.SOCK_STREAM)
    text = CONFIGURATION.format(
        port=port, media=free_port(socket.SOCK_DGRAM), key=KEY, secret=SECRET
    )
    (folder / "livekit.yaml").write_text(text + more)
    with (folder / "livekit.log").open("wb") as log:
        process = subprocess.Popen(
            [binary(), "--config", folder / "livekit.yaml"], stdout=log, stderr=log, cwd=folder
        )
    server = LiveKitServer(process, port)
    try:
        _wait(process, port, folder / "livekit.log")
        yield server
    finally:
        server.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=1).close()
            return
        time.sleep(0.05)
    pytest.fail(f"the LiveKit server did not come up:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def livekit_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveKitServer]:
    with serving(tmp_path_factory.mktemp("livekit")) as server:
        yield server
