"""OpenAI's realtime events, by the types of OpenAI's own SDK: nothing else comes in or goes out."""

from __future__ import annotations

import typing
from typing import Any, Final

from openai.types import realtime
from pydantic import BaseModel, ValidationError

LONGEST_ID: Final = 32  # of an item that a client names


class Wrong(Exception):
    """What the provider would answer with an error."""

    def __init__(self, message: str, code: str = "invalid_value", event_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.event_id = event_id


def _members(union: object) -> dict[str, type[BaseModel]]:
    """The classes of a union of events, by their `type`."""
    found: dict[str, type[BaseModel]] = {}
    for each in typing.get_args(typing.get_args(union)[0]):
        (name,) = typing.get_args(each.model_fields["type"].annotation)
        found[name] = each
    return found


CLIENT: Final = _members(realtime.RealtimeClientEvent)
SERVER: Final = _members(realtime.RealtimeServerEvent)


def read(event: dict[str, Any]) -> dict[str, Any]:
    """An event of the client's, checked; Wrong where the types do not have it."""
    kind = event.get("type")
    event_id = str(event.get("event_id") or "")
    if kind not in CLIENT:
        raise Wrong(f"Invalid value: {kind!r}", event_id=event_id)
    try:
        found = CLIENT[kind].model_validate(event)
    except ValidationError as error:
        raise Wrong(f"{kind}: {error}", event_id=event_id) from None
    if more := list(unknown(found, kind)):
        raise Wrong(f"Unknown parameters: {more}", "unknown_parameter", event_id)
    item = event.get("item") or {}
    if len(item.get("id") or "") > LONGEST_ID:
        raise Wrong(f"item.id is longer than {LONGEST_ID}", "string_above_max_length", event_id)
    return event


def written(kind: str, **fields: Any) -> dict[str, Any]:
    """An event of the server's, checked."""
    event = SERVER[kind].model_validate({"type": kind, **fields})
    more = list(unknown(event, kind))
    assert not more, more
    return event.model_dump(mode="json", by_alias=True, exclude_unset=True)


def unknown(found: object, path: str) -> typing.Iterator[str]:
    """What the types do not have, by its path."""
    if isinstance(found, BaseModel):
        yield from (f"{path}.{name}" for name in found.model_extra or ())
        for name in found.model_fields_set:
            yield from unknown(getattr(found, name, None), f"{path}.{name}")
    elif isinstance(found, list):
        for each in found:
            yield from unknown(each, path)
