"""A whole program, as a user writes one: the desk of a hotel, with the cashier and the concierge.

The desk takes a booking by a group of ready-made tasks, the cashier takes the card, the concierge
has tools of a set of its own. What they know of the guest is the session's userdata.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from antiphon import (
    Agent,
    AgentTask,
    RunContext,
    StopResponse,
    ToolError,
    function_tool,
    llm,
)
from antiphon.beta import Instructions
from antiphon.beta.workflows import (
    GetAddressTask,
    GetCreditCardTask,
    GetDOBTask,
    GetDtmfTask,
    GetEmailTask,
    GetNameTask,
    GetPhoneNumberTask,
    TaskCompletedEvent,
    TaskGroup,
)


@dataclass
class Stay:
    """What is known of the guest."""

    room: str = ""
    guest: dict[str, object] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    card: str = ""
    pin: str = ""
    ordered: list[str] = field(default_factory=list)


Context = RunContext[Stay]


class Minibar(llm.Toolset):
    """Tools of the house, opened with the agent that has them and closed with it."""

    def __init__(self) -> None:
        super().__init__(id="minibar")
        self.life: list[str] = []

    async def setup(self) -> Minibar:
        self.life.append("opened")
        return self

    async def aclose(self) -> None:
        self.life.append("closed")

    @property
    def tools(self) -> list[llm.Tool | llm.Toolset]:
        return [order, stock]


@function_tool
async def order(
    context: Context,
    items: Annotated[list[str], Field(description="What the guest wants")],
    size: Literal["small", "large"] = "small",
) -> str:
    """Brings something to the room."""
    if "champagne" in items:
        raise ToolError("there is no champagne left")
    context.userdata.ordered += [f"{size} {item}" for item in items]
    return f"{len(items)} on the way to {context.userdata.room}"


@function_tool(raw_schema={"name": "stock", "parameters": {"type": "object", "properties": {}}})
async def stock(raw_arguments: dict[str, object], context: Context) -> dict[str, int]:
    """What there is."""
    return {"water": 4, "juice": 2}


class Agreement(AgentTask[bool]):
    """Asks whether the guest agrees to something."""

    def __init__(self, to: str) -> None:
        super().__init__(instructions=f"Ask whether the guest agrees to {to}.")
        self.to = to

    async def on_enter(self) -> None:
        await self.session.generate_reply(instructions=f"Ask: {self.to}?")

    @function_tool
    async def agreed(self) -> None:
        """The guest agrees."""
        self.complete(True)

    @function_tool
    async def refused(self, why: str) -> None:
        """The guest does not agree."""
        self.complete(ToolError(f"the guest does not agree: {why}"))


class Desk(Agent):
    """Books, and hands over."""

    def __init__(self) -> None:
        super().__init__(
            instructions=Instructions(audio="You are at the desk. Be brief.", text="Desk, typed.")
        )

    async def on_enter(self) -> None:
        await self.session.say("Welcome to the hotel.")

    @function_tool
    async def book(self, context: Context, room: str) -> str:
        """Books a room.

        Args:
            room: its number
        """
        group = TaskGroup(summarize_chat_ctx=False, on_task_completed=self.noted)
        group.add(lambda: GetNameTask(last_name=True), id="name", description="the name")
        group.add(GetEmailTask, id="email", description="the e-mail address")
        group.add(GetPhoneNumberTask, id="phone", description="the phone number")
        group.add(GetAddressTask, id="address", description="the address")
        group.add(GetDOBTask, id="born", description="the date of birth")
        found = (await group).task_results
        await Agreement("the rules of the house")
        context.userdata.room, context.userdata.guest = room, found
        return f"room {room} is booked for {found['name'].first_name}"

    async def noted(self, event: TaskCompletedEvent) -> None:
        stay: Stay = self.session.userdata
        stay.done.append(event.task_id)

    @function_tool
    async def to_cashier(self) -> tuple[Agent, str]:
        """Hands over to the cashier."""
        return Cashier(self.chat_ctx), "the cashier takes over"

    @function_tool
    async def to_concierge(self) -> Agent:
        """Hands over to the concierge."""
        return Concierge()

    @function_tool
    async def hang_up(self) -> None:
        """Ends without a word."""
        raise StopResponse


class Cashier(Agent):
    """Takes the card, and a number for the safe."""

    def __init__(self, heard: llm.ChatContext) -> None:
        super().__init__(instructions="You are the cashier.", chat_ctx=heard)

    @function_tool
    async def pay(self, context: Context) -> tuple[Agent, str]:
        """Takes a card, then goes back to the desk."""
        context.userdata.card = (await GetCreditCardTask()).card_number[-4:]
        context.userdata.pin = (await GetDtmfTask(num_digits=4)).user_input
        return Desk(), "paid"


class Concierge(Agent):
    """Brings things, and knows what there is."""

    def __init__(self) -> None:
        self.minibar = Minibar()
        super().__init__(instructions="You are the concierge.", tools=[self.minibar])

    async def on_exit(self) -> None:
        await self.session.say("At your service.")

    @function_tool
    async def to_desk(self) -> Agent:
        """Goes back to the desk."""
        return Desk()
