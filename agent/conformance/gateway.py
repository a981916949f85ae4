"""LiveKit Inference's gateway: chat completions behind a token that each request brings anew."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import jwt

from antiphon.conformance.chat import Chat
from antiphon.conformance.wire import Asked, Refused, Request, demand

KEY: Final = "gateway-key"
SECRET: Final = "gateway-secret-that-is-long-enough-for-hs256"
PROVIDERS: Final = {"openai", "azure", "google", "baseten", "groq", "cerebras"}
LIVES: Final = 600  # seconds


@dataclass(slots=True)
class Gateway(Chat):
    """What a provider is asked for must be one that the gateway knows."""

    def allow(self, request: Request) -> None:
        allow(request)

    def read(self, request: Request) -> Asked:
        who = request.headers.get("User-Agent", "")
        demand(who.startswith("LiveKit Agents/"), f"the User-Agent is {who}", 403)
        provider = request.headers.get("X-LiveKit-Inference-Provider", "openai")
        demand(provider in PROVIDERS, f"no provider {provider}")
        asked = Chat.read(self, request)
        demand("/" in asked.model, f"no model {asked.model}", 404)
        return asked


def allow(request: Request) -> dict[str, Any]:
    """The claims of the request's token; Refused where it may not use models."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    demand(kind == "Bearer", "no token", 401)
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer=KEY)
    except jwt.PyJWTError as error:
        raise Refused(401, f"the token: {error}") from None
    demand((claims.get("inference") or {}).get("perform") is True, "it may not infer", 403)
    demand(claims.get("sub") == "agent", f"sub is {claims.get('sub')}", 403)
    demand(0 < claims["exp"] - time.time() <= LIVES, f"it ends at {claims['exp']}", 403)
    return dict(claims)
