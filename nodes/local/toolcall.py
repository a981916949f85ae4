"""Calling the agent's tools by keyword, with the arguments that can be heard in the words.

A tool is called when the user says what its name says ("book_table": "book a table for four"), or
half of that and enough of its description. Numbers go to its number arguments in order; a phrase
after "in", "for", "at" … goes to a text argument, by the argument's name. What a tool must have
and nobody said is asked for, and the next thing said is taken as the answer.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from antiphon.nodes.local.arithmetic import numbers_in
from antiphon.nodes.local.brain import Conversation, is_about_talking, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

_QUESTION = "I can do that. What is the {}?"
_IDLE = frozenset(
    "a an and are as at be by can could did do does for from get give has have how i in is it its "
    "let list look lookup make me my of on or our out please run set show some tell that the this "
    "to up use used user users was we what when where which who will with would you your".split()
)
"""Words that say nothing about which tool is meant."""
_PREPOSITIONS = frozenset("in for to at on about of named called from with by is as".split())
_ENDS = frozenset("please thanks thank and but then now".split())
_DAYS = frozenset("today tomorrow tonight".split())
_PLACES = ("in", "for", "to", "at", "from")
_HINTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("city", "location", "place", "country", "town", "where", "address", "destination"), _PLACES),
    (("time", "date", "day", "when", "hour"), ("at", "on", "for", "to")),
    (("name", "person", "who", "customer", "guest"), ("named", "called", "is", "for", "with")),
    (("topic", "query", "question", "subject", "title"), ("about", "for", "of", "on")),
)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool; `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Json]

    @property
    def properties(self) -> dict[str, dict[str, Json]]:
        found = self.parameters.get("properties")
        return {k: _resolved(v, self.parameters) for k, v in _mapping(found).items()}

    @property
    def required(self) -> list[str]:
        found = self.parameters.get("required")
        return [str(name) for name in found] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call now."""

    name: str
    arguments: dict[str, Json]


def decide(tools: Sequence[ToolSpec], chat: Conversation, forced: str | None) -> Call | str | None:
    """A call, a question about a missing argument, or None when no tool is meant.

    `forced` is a tool's name, "*" for any tool, or None when a tool need not be called.
    """
    said = chat.said_by("user")
    if not tools or (forced is None and (not chat.question or is_about_talking(chat.question))):
        return None

    if len(said) > 1 and (answered := _answer(tools, chat, said)):
        return answered

    text = said[-1] if said else ""
    if forced is not None:
        named = [tool for tool in tools if tool.name == forced] or list(tools)
        likest = max(named, key=lambda tool: _likeness(tool, text))
        arguments, missing = fill(likest, text)
        blanks = {name: _blank(likest, name, text) for name in missing}
        return Call(likest.name, arguments | blanks)

    meant = _meant(tools, text)
    if meant is None:
        return None

    arguments, missing = fill(meant, text)
    return _ask(missing[0]) if missing else Call(meant.name, arguments)


def fill(tool: ToolSpec, text: str) -> tuple[dict[str, Json], list[str]]:
    """The arguments that `text` gives, and the names of the required ones it does not."""
    numbers = [*reversed(numbers_in(text))]
    counted = any(_type(schema) in ("integer", "number") for schema in tool.properties.values())
    phrases = _phrases(text, tool)
    arguments: dict[str, Json] = {}

    for name, schema in tool.properties.items():
        choices, kind = schema.get("enum"), _type(schema)
        if isinstance(choices, list):
            value: Json = next((c for c in choices if plain(str(c)) in plain(text)), None)
        elif kind in ("integer", "number"):
            value = (int if kind == "integer" else float)(numbers.pop()) if numbers else None
        elif kind == "boolean":
            negative = re.search(r"\b(no|not|dont|without|off)\b", plain(text))
            value = not negative if name in tool.required else None
        else:
            value = _pick(name, phrases, counted=counted)
            if value is not None and kind == "array":
                value = [value]
        if value is not None:
            arguments[name] = value

    return arguments, [name for name in tool.required if name not in arguments]


def tell(output: str, *, is_error: bool) -> str:
    """A tool's result as a sentence: text as it is, JSON or a Python value spelled out."""
    text = output.strip()
    if is_error:
        return f"That did not work: {text}" if text else "That did not work."

    for read in (json.loads, ast.literal_eval):
        try:
            return _sentence(read(text))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue

    return _sentence(text)


def _sentence(value: object) -> str:
    match value:
        case None | "" | True:
            return "Done."
        case dict():
            said = ", ".join(f"{str(k).replace('_', ' ')}: {_words(v)}" for k, v in value.items())
        case _:
            said = _words(value)

    return said if said.endswith((".", "!", "?")) else f"{said}."


def _words(value: object) -> str:
    if isinstance(value, list | tuple | set):
        return ", ".join(_words(item) for item in value) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())

    return str(value)


def _answer(tools: Sequence[ToolSpec], chat: Conversation, said: list[str]) -> Call | str | None:
    """The call that the user's last words complete, if we had asked for an argument."""
    tool = _meant(tools, said[-2])
    if tool is None:
        return None

    arguments, missing = fill(tool, said[-2])
    if not missing or not chat.answered or not _ask(missing[0]).startswith(chat.answered):
        return None

    given, _ = fill(tool, said[-1])
    value = given.get(missing[0]) or _blank(tool, missing[0], said[-1])
    arguments |= {missing[0]: value}
    return _ask(missing[1]) if len(missing) > 1 else Call(tool.name, arguments)


def _ask(name: str) -> str:
    return _QUESTION.format(name.replace("_", " "))


def _meant(tools: Sequence[ToolSpec], text: str) -> ToolSpec | None:
    best = max(tools, key=lambda tool: _likeness(tool, text), default=None)
    return best if best is not None and _likeness(best, text) >= 1.0 else None


def _likeness(tool: ToolSpec, text: str) -> float:
    """How much a text sounds like a tool: 1.0 or more means it is meant."""
    said = _stems(text)
    name = _stems(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tool.name).replace("_", " "))
    described = _stems(tool.description) - name
    named, more = len(name & said), len(described & said)

    if name and named == len(name):
        return 1.0 + named + more / 10
    if name and 2 * named >= len(name) and more >= 1 + (named == 0):
        return 1.0 + more / 10

    return more / 3.0 if not name or more >= 3 else 0.0


def _stems(text: str) -> set[str]:
    """A text's telling words without their endings: "orders" and "ordered" are "order"."""
    words = [word for word in plain(text).split() if word not in _IDLE]
    return {re.sub(r"(?<=\w{3})(ing|es|ed|s|e)$", "", word) for word in words}


def _phrases(text: str, tool: ToolSpec) -> list[tuple[str, str]]:
    """What follows each preposition, as it was written, up to the next one."""
    phrases: list[tuple[str, list[str]]] = [("", [])]
    name = _stems(tool.name.replace("_", " "))

    for written in text.split():
        word, low = written.strip(".,!?;:\"'()"), plain(written)
        if low in _ENDS:
            phrases.append(("end", []))
        elif low in _DAYS:
            phrases.append(("on", [word]))
        elif low in _PREPOSITIONS:
            phrases.append((low, []))
        elif low not in ("the", "a", "an", "my") or phrases[-1][1]:
            phrases[-1][1].append(word)

    return [
        (link, " ".join(words))
        for link, words in phrases
        if link not in ("", "end") and words and not _stems(" ".join(words)) <= name
    ]


def _pick(name: str, phrases: list[tuple[str, str]], *, counted: bool) -> str | None:
    """Take the phrase that suits an argument out of those that are left."""
    wanted = next(
        (links for hints, links in _HINTS if any(hint in name.lower() for hint in hints)), None
    )
    for link in wanted or [link for link, _ in phrases]:
        for phrase in phrases:
            if phrase[0] == link and not (counted and _is_number(phrase[1]) and link != "at"):
                phrases.remove(phrase)
                return phrase[1]

    return None


def _is_number(text: str) -> bool:
    found = numbers_in(text)
    return len(found) == 1 and len(text.split()) <= 3


def _blank(tool: ToolSpec, name: str, text: str) -> Json:
    """The best there is for an argument that nothing was heard for: the words themselves."""
    match _type(tool.properties.get(name, {})):
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return {}
        case _:
            return text.strip(" .,!?")


def _type(schema: Mapping[str, Json]) -> str:
    return str(schema.get("type", "string"))


def _resolved(schema: Json, root: Mapping[str, Json]) -> dict[str, Json]:
    """A property's schema with its reference followed and its "or null" taken away."""
    found = _mapping(schema)
    options = found.get("anyOf")

    if isinstance(options, list):
        real = [option for option in options if _mapping(option).get("type") != "null"]
        return _resolved(real[0], root) if real else found
    if isinstance(reference := found.get("$ref"), str):
        return _mapping(_mapping(root.get("$defs")).get(reference.rsplit("/", 1)[-1]))

    return found


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
