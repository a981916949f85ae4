"""What the built-in language model says: rules over keywords, and nothing it does not know.

A pure function of the conversation and the time of day. Each rule is one line of `_RULES`: the
words that call it, and what it answers; the first that has an answer wins. The words are spotted,
not parsed, because a recogniser loses the small ones: "what time is it" may be heard as
"what time is at".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from antiphon.nodes.local.arithmetic import sum_of
from antiphon.nodes.local.stories import STORIES

NOTHING_HEARD = "I did not hear anything. Could you say that again?"
_HELP = "I can tell you the time and the date, do sums, and tell a story."
_WHAT_I_AM = (
    "I am a small rule-based stand-in that runs on this machine. There is no model behind me: "
    "I listen for a few words and answer from a short list. "
    "Put a real language model in my place when you want a real conversation."
)
_NO_FACTS = "I do not know that, and I would rather not invent it. " + _HELP
_FALLBACKS = (
    "I did not understand. Ask me about the time, a sum, or a story.",
    "I am not sure what you mean. I know the time and the date, sums, and stories.",
    "That is beyond me. You could ask what I am, or say, tell me a story.",
)
_STORY_OPENINGS = ("Here is one. ", "Here is another. ", "Where was I? ")
_ANOTHER = " Would you like another story?"
_NOT_NAMES = frozenset("a an the not going sure here so very just in on your".split())


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: who spoke, and what was said or, of a reply, what was heard."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """All that an answer depends on."""

    turns: tuple[Turn, ...]
    now: float
    """Wall time, seconds since 1970."""
    name: str | None = None
    """What the instructions call the agent."""
    order: str = ""
    """Instructions that came after the last message: what to say now."""

    @property
    def question(self) -> str:
        """The user's last words, if nobody has answered them yet."""
        return self.turns[-1].text if self.turns and self.turns[-1].role == "user" else ""

    @property
    def answered(self) -> str:
        """The agent's last words."""
        return next((t.text for t in reversed(self.turns) if t.role == "assistant"), "")

    def said_by(self, role: str) -> list[str]:
        """All one side said, in order."""
        return [turn.text for turn in self.turns if turn.role == role]


def reply(chat: Conversation) -> str:
    """The next thing to say; never empty."""
    if not chat.turns or chat.turns[-1].role != "user":
        return _unasked(chat)

    heard = plain(chat.question)
    if not heard:
        return NOTHING_HEARD

    for pattern, answer in _RULES:
        if (found := pattern.search(heard)) and (text := answer(chat, found)):
            return text

    return sum_of(chat.question) or _fallback(chat)


def is_about_talking(text: str) -> bool:
    """Whether these words steer the conversation itself, which no tool does: stop, go on …"""
    heard = plain(text)
    return any(pattern.search(heard) for pattern, _ in _RULES[:3])


def name_in(instructions: str) -> str | None:
    """The name that instructions give the agent: "You are Ada", "your name is Ada"."""
    found = re.search(
        r"\b(?:[Yy]ou are|[Yy]ou're|[Nn]ame is|[Nn]amed|[Cc]alled)\s+"
        r"([A-Z][\w-]*(?: [A-Z][\w-]*)?)",
        instructions,
    )
    return found[1] if found and found[1].lower() not in _NOT_NAMES else None


def plain(text: str) -> str:
    """Lower-case words with single spaces, no punctuation: "what's" is "whats"."""
    return " ".join(re.findall(r"[^\W_]+", re.sub("['’]", "", text.lower())))


def _unasked(chat: Conversation) -> str:
    """What to say when the agent begins: as it was told to, else hello, else help."""
    if found := re.search(r"\bsay\b[^\"“]*[\"“](.+?)[\"”]", chat.order, re.IGNORECASE):
        return found[1]
    if re.search(r"\b(good ?bye|farewell|bye)\b", chat.order, re.IGNORECASE):
        return _goodbye(chat, None)
    if not chat.turns or re.search(r"\b(greet|hello|welcome|introduce)", chat.order, re.IGNORECASE):
        return _greet(chat, None)

    return "I am still here. " + _HELP


def _greet(chat: Conversation, _: re.Match[str] | None) -> str:
    me = f" I am {chat.name}." if chat.name else ""
    return f"Hello!{me} {_HELP} What would you like?"


def _goodbye(chat: Conversation, _: re.Match[str] | None) -> str:
    name = _users_name(chat)
    return f"Goodbye, {name}. It was good to talk to you." if name else "Goodbye. Come back soon."


def _stop(chat: Conversation, found: re.Match[str]) -> str | None:
    return "Okay, stopped."


def _repeat(chat: Conversation, _: re.Match[str]) -> str | None:
    last = chat.answered
    if not last:
        return "I have not said anything yet."
    if (told := _told(last)) and told[1] > 0:
        return _tell(told[0], "Here is one. ")

    return f"I said: {last.removeprefix('I said: ')}"


def _go_on(chat: Conversation, _: re.Match[str]) -> str | None:
    """Take up the story where it was heard to stop, from the beginning of that sentence."""
    for text in reversed(chat.said_by("assistant")):
        if told := _told(text):
            break
    else:
        return None

    key, heard = told
    sentences = re.findall(r"[^.]+\.\s*", STORIES[key])
    count = 0

    for index, sentence in enumerate(sentences):
        count += len(sentence.split())
        if heard < count:
            return f"Where was I? {''.join(sentences[index:])}{_ANOTHER}"

    return "That was the end of it." + _ANOTHER


def _yes(chat: Conversation, found: re.Match[str]) -> str | None:
    last = chat.answered.rstrip()
    if not last.endswith("?"):
        return "Good. " + _HELP if found["yes"] else "All right. I am here when you need me."
    if not found["yes"]:
        return "All right. Tell me when you want something."

    return _story(chat, found) if last.endswith(_ANOTHER) else _HELP + " Which shall it be?"


def _time(chat: Conversation, _: re.Match[str]) -> str:
    now = time.localtime(chat.now)
    hour = now.tm_hour % 12 or 12
    part = "in the morning" if now.tm_hour < 12 else "in the afternoon"
    part = "in the evening" if now.tm_hour >= 18 else part
    return (
        f"It is {hour}:{now.tm_min:02} {part}." if now.tm_min else f"It is {hour} o'clock {part}."
    )


def _date(chat: Conversation, _: re.Match[str]) -> str:
    now = time.localtime(chat.now)
    return f"Today is {time.strftime('%A, %B', now)} {now.tm_mday}, {now.tm_year}."


def _story(chat: Conversation, found: re.Match[str]) -> str:
    """The one asked for by name, else the one after the last told."""
    told = [told[0] for text in chat.said_by("assistant") if (told := _told(text))]
    keys = list(STORIES)
    following = keys[(keys.index(told[-1]) + 1) % len(keys)] if told else keys[0]
    wanted = next((key for key in keys if key in found.string), following)
    return _tell(wanted, _STORY_OPENINGS[bool(told)])


def _tell(key: str, opening: str) -> str:
    return f"{opening}{STORIES[key]}{_ANOTHER}"


def _told(text: str) -> tuple[str, int] | None:
    """Which story a message tells, and how many of its words it reaches; None if it tells none."""
    for opening in _STORY_OPENINGS:
        text = text.removeprefix(opening)
    words = plain(text).split()

    for key, story in STORIES.items():
        whole = plain(story).split()
        start = next(
            (i for i in range(len(whole)) if words and whole[i : i + 4] == words[:4]), None
        )
        if start is not None:
            return key, min(len(whole), start + len(words))

    return None


def _sum(chat: Conversation, _: re.Match[str]) -> str | None:
    return sum_of(chat.question)


def _users_name(chat: Conversation) -> str | None:
    for text in reversed(chat.said_by("user")):
        found = re.search(r"\b(?:my names?(?: is)?|call me|i am called) (\w+)", plain(text))
        if found and found[1] not in _NOT_NAMES:
            return found[1].capitalize()

    return None


def _meet(chat: Conversation, _: re.Match[str]) -> str | None:
    name = _users_name(Conversation(chat.turns[-1:], chat.now))
    return f"Nice to meet you, {name}. What can I do for you?" if name else None


def _your_name(chat: Conversation, _: re.Match[str]) -> str:
    name = _users_name(chat)
    return f"You told me your name is {name}." if name else "You have not told me your name."


def _my_name(chat: Conversation, _: re.Match[str]) -> str:
    if chat.name:
        return f"I am {chat.name}, a small rule-based voice on this machine."

    return "I have no name of my own. I am the built-in voice of Antiphon."


def _fallback(chat: Conversation) -> str:
    turn = len(chat.said_by("user"))
    choices = [text for text in _FALLBACKS if not text.startswith(chat.answered or "\0")]
    return choices[turn % len(choices)]


def _always(text: str) -> Callable[[Conversation, re.Match[str]], str]:
    return lambda _chat, _found: text


_Answer = Callable[[Conversation, "re.Match[str]"], "str | None"]

# The first three steer the conversation, whatever tools the agent has.
_RULES: tuple[tuple[re.Pattern[str], _Answer], ...] = tuple(
    (re.compile(pattern), answer)
    for pattern, answer in (
        (
            r"^(?!.*\b(dont|never|not) (stop|pause)\b)(?!.*\b(what|whats|tell|how|who)\b)"
            r"(?=(\w+ ?){1,6}$).*\b(stop|stopped|pause|quiet|silence|silent|enough|shut up|"
            r"hold on|hang on|wait|cancel|never mind)\b",
            _stop,
        ),
        (
            r"\b(again|repeat|pardon|once more|one more time|what did you (just )?say|"
            r"didnt (hear|catch|get))\b",
            _repeat,
        ),
        (
            r"^(?=(\w+ ?){1,7}$).*\b(go on|go ahead|continue|carry on|keep going|dont stop|"
            r"what happen(s|ed)( next)?|and then|the rest|finish)\b",
            _go_on,
        ),
        (r"\b(good ?bye|bye|see you|farewell|good night|have a (nice|good|great))\b", _goodbye),
        (r"^(good )?(buy|by)( (now|bye|by|buy))?$", _goodbye),
        (
            r"\d|\b(plus|minus|times?|multipl\w+|divided?|over|add|sum|product|difference|subtract|"
            r"take|percent)\b",
            _sum,
        ),
        (r"\b(stor(y|ies|ey|ys)|tale|fairy ?tale)\b", _story),
        (
            r"^(?=(\w+ ?){1,4}$)((?P<yes>yes|yeah|yep|yup|sure|please|okay|ok|of course|all right|"
            r"why not|id love)|(no|nope|nah|not now|no thanks))\b(?! (time|clock))",
            _yes,
        ),
        (
            r"(?=.*\b(what|whats|which|tell|know|current|now|got|have)\b).*\b(time|clock|hour)\b"
            r"|^(the )?time\b",
            _time,
        ),
        (
            r"(?=.*\b(what|whats|which|tell|know|current)\b).*\b(date|day|today|month|year|weekday)"
            r"\b|^(the |todays )?date\b",
            _date,
        ),
        (r"\b(whats my name|what is my name|who am i|(know|remember) my name|my name again)\b",
         _your_name),
        (r"\b(my names?|call me|i am called)\b", _meet),
        (r"\b(your name|who are you|you called|who is this|whos this|your names)\b", _my_name),
        (
            r"\b(what (kind of )?(\w+ )?are you|what you are|what are you|how do you work|"
            r"who made you|how old are you|(are you|is (this|it|that)) (a |an |some )?"
            r"(real|human|robot|machine|person|computer|ai|alive|model|bot|program|chat|"
            r"smart|intelligent)|language model|artificial|chat ?gpt)",
            _always(_WHAT_I_AM),
        ),
        (r"\bhow (are|is|do|have) (you|things|it|your)\b",
         _always("I am working as I should, thank you. What would you like?")),
        (r"\b(help|what can you|can you do|what do you|options|talk about|topics|what else)\b",
         _always(_HELP + " You can interrupt me at any time.")),
        (r"\b(thanks?|thank you|cheers|appreciate)\b", _always("You are welcome.")),
        (r"\b(hello|hallo|hi|hey|good (morning|afternoon|evening|day)|greetings)\b", _greet),
        (r"^(?=.*\b(weather|news|capital|president|joke|sing|song|football|score|price|music|"
         r"where|who|why|when|how (many|much|far|long))\b)", _always(_NO_FACTS)),
    )
)  # fmt: skip
