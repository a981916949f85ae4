"""What the servers of all protocols insist on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.conformance.wire import Request, demand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet


def posted(request: Request, path: str, allow: Callable[[Request], None]) -> dict[str, Any]:
    """The body of a request to this path, by somebody with a key."""
    demand(request.method == "POST", f"{request.method} is not allowed", 405)
    demand(request.path == path, f"there is no {request.path}", 404)
    allow(request)
    return request.json()


def only(given: Iterable[str], known: AbstractSet[str]) -> None:
    """Refuse parameters that the provider does not know."""
    unknown = set(given) - known
    demand(not unknown, f"unknown parameters {sorted(unknown)}")
