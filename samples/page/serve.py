"""A page to talk with an agent from: `python samples/page/serve.py`, on this machine only.

Each call gets a token of its own, for a room of its own: `?room=NAME` chooses another one. Whoever
opens the page may call, so it is for trying an agent and not for the open net.
"""

import argparse
import os
import secrets
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from livekit import api

HERE = Path(__file__).parent
FILES = {
    "/": "index.html",
    "/page.js": "built/page.js",
    "/page.css": "built/page.css",
    "/plain": "plain.html",
    "/plain.js": "plain.js",
    "/livekit-client.js": "node_modules/livekit-client/dist/livekit-client.umd.js",
}

# Else those of `make rooms`.
URL = os.environ.get("LIVEKIT_URL", "ws://127.0.0.1:7880")
KEY = os.environ.get("LIVEKIT_API_KEY", "devkey")
SECRET = os.environ.get("LIVEKIT_API_SECRET", "a-secret-that-only-this-machine-knows")


@web.middleware
async def from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a page of somebody else's that reaches this machine by a name of its own."""
    if request.url.host not in ("127.0.0.1", "localhost"):
        raise web.HTTPForbidden(text="open http://127.0.0.1 instead")
    return await handler(request)


async def file(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(HERE / FILES[request.path], headers={"Cache-Control": "no-cache"})


async def token(request: web.Request) -> web.StreamResponse:
    room = request.query.get("room") or f"room-{secrets.token_hex(4)}"
    minted = (
        api.AccessToken(KEY, SECRET)
        .with_identity(f"you-{secrets.token_hex(4)}")
        .with_ttl(timedelta(minutes=10))  # to join; a call may last longer
        .with_grants(api.VideoGrants(room_join=True, room=room))
    )
    return web.json_response({"url": URL, "token": minted.to_jwt()})


def main() -> None:
    parser = argparse.ArgumentParser(description="A page to talk with an agent from.")
    parser.add_argument("--port", type=int, default=8090)
    port = parser.parse_args().port
    missing = [name for name in FILES.values() if not (HERE / name).exists()]
    if missing:
        raise SystemExit(f"there is no {missing[0]} yet: make page builds it")
    app = web.Application(middlewares=[from_here])
    app.router.add_post("/token", token)
    for path in FILES:
        app.router.add_get(path, file)

    def ready(_: object) -> None:
        print(f"http://127.0.0.1:{port} calls agents of {URL}", flush=True)

    try:
        web.run_app(app, host="127.0.0.1", port=port, print=ready, access_log=None)
    except OSError as error:
        raise SystemExit(
            f"the page cannot be served: {error.strerror}; --port takes another"
        ) from None


if __name__ == "__main__":
    main()
