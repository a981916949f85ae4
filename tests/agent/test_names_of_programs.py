"""A program's agents may call their own things what they like, as in LiveKit."""

from __future__ import annotations

import pytest
from livekit import agents as livekit
from livekit.agents.beta import workflows as livekits

import antiphon
from antiphon import Agent, AgentTask, function_tool
from antiphon import workflows as ours
from antiphon.simulate import Calls, ScriptedLLM, calls

# Plain words for what an agent's life in a session is made of.
WORDS = (
    "confidential overrides remembered answers_user join_session leave_session may_join_session "
    "entering_failed models_in_use give_up held awaited result call calls conversation owner seat "
    "state status step steps turn turns talk task speech handle memory models options running "
    "session_id user names mode kind form read today press name phone room"
).split()


async def names(kind: type, **arguments: object) -> set[str]:
    """The plain names that one of them has."""
    return {name for name in dir(kind(**arguments)) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["Agent", "AgentTask"])
async def test_an_agent_takes_no_plain_name_that_is_free_in_livekit(name: str) -> None:
    taken = await names(getattr(antiphon, name), instructions="")
    assert taken <= await names(getattr(livekit, name), instructions="")


@pytest.mark.parametrize("name", [n for n in ours.__all__ if n.endswith(("Task", "Group"))])
async def test_a_ready_made_task_takes_no_plain_name_that_is_free_in_livekit(name: str) -> None:
    plain = {word for word in dir(getattr(ours, name)) if not word.startswith("_")}
    assert plain <= set(dir(getattr(livekits, name, livekit.AgentTask)))


def named(kind: type[Agent]) -> type[Agent]:
    """One that has all those names, plain and with an underscore, from before it is made."""

    class Named(kind):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self._name_all()
            super().__init__(instructions="")
            self._name_all()

        def _name_all(self) -> None:
            for word in (*WORDS, "session_of", "done_at", "count"):
                setattr(self, word, "mine")
            for word in ("session", "result", "awaited", "held", "seat", "state", "run", "running"):
                setattr(self, f"_{word}", "mine")

    return Named


async def test_what_a_program_calls_its_own_things_does_not_matter() -> None:
    class Asking(named(AgentTask[str])):  # type: ignore[misc]
        async def on_enter(self) -> None:
            self.session.generate_reply(instructions="Ask.")

        @function_tool
        async def note(self, name: str) -> None:
            """Notes the name."""
            self.complete(name)

    class Next(named(Agent)):  # type: ignore[misc]
        """Who is handed over to."""

    class Host(named(Agent)):  # type: ignore[misc]
        @function_tool
        async def ask(self) -> str:
            """Asks for the name."""
            return f"{await Asking()} {self.confidential} {self._result}"

        @function_tool
        async def leave(self) -> Agent:
            """Hands over."""
            return Next()

    replies: list[str | Calls] = [
        calls("ask"),
        "Your name?",
        calls("note", name="Ada"),
        "Thank you.",
        calls("leave"),
    ]
    async with antiphon.AgentSession[None](llm=ScriptedLLM(replies)) as session:
        await session.start(Host())
        await session.run(user_input="Ask me")
        asked = await session.run(user_input="Ada")
        asked.expect.contains_function_call_output(output="Ada mine mine")
        await session.run(user_input="Leave")
        assert session.history.messages()[-1].text_content == "Leave"
        assert not isinstance(session.current_agent, Host)
