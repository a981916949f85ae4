"""What a console's screen is made of: the conversation, what either side does, the text line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from antiphon import screen_names as names
from antiphon.screen import Wish
from antiphon.screen_lines import AGENT, DIM, ERROR, FAINT, USER, WARNING, clock, lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from antiphon.screen_turns import Turns

HEIGHTS: Final = " ▁▂▃▄▅▆▇█"
QUIET, LOUD = 0.004, 0.25  # root mean squares: below is flat, above is the top
FALL: Final = 1  # heights a moment


class Conversation(ScrollView, can_focus=False):
    """All that was said, in lines; only what changed is broken into lines anew.

    Mutable state: the lines, and where in them each block begins.
    """

    DEFAULT_CSS = """
    Conversation { overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns
        self._lines: list[Text] = []
        self._begins: list[int] = []

    def follow(self) -> None:
        """Show what has changed; the end stays in view, unless somebody has scrolled up."""
        if (first := self._turns.changed()) is not None and self.size.width:
            self._break(first)

    def on_resize(self, _: events.Resize) -> None:
        self._turns.changed()
        self._break(0)

    def _break(self, first: int) -> None:
        width = self.scrollable_content_region.width
        at_end = self.scroll_offset.y >= self.max_scroll_y
        if first < len(self._begins):
            del self._lines[self._begins[first] :], self._begins[first:]
        for block in self._turns.blocks[first:]:
            self._begins.append(len(self._lines))
            self._lines += lines(block, width, self.app.console)
        self.virtual_size = Size(width, len(self._lines))
        if at_end:
            self.scroll_end(animate=False, immediate=True, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, number = self.size.width, self.scroll_offset.y + y
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        strip = Strip(self._lines[number].render(self.app.console))
        return strip.apply_style(self.rich_style).adjust_cell_length(width, self.rich_style)


class Level:
    """A side's loudness of the last seconds. Mutable state: one height for each moment."""

    def __init__(self) -> None:
        self._heights = [0] * 32
        self._loudest = 0.0
        self.heard = False  # there is sound at all

    def hear(self, level: float) -> None:
        """`level` is a root mean square from 0 to 1."""
        self._loudest, self.heard = max(self._loudest, level), True

    def next(self) -> bool:
        """Go on to the next moment; whether that changes the picture."""
        before = self._heights
        # The square root spreads what speech is made of; the fall is slower than the rise.
        height = round(8 * min(1.0, max(0.0, self._loudest - QUIET) / LOUD) ** 0.5)
        self._heights, self._loudest = [*before[1:], max(height, before[-1] - FALL)], 0.0
        return self._heights != before

    def shown(self, cells: int, colour: str) -> Text:
        """The last `cells` moments."""
        return Text("".join(HEIGHTS[max(1, h)] for h in self._heights[-cells:]), colour)


class Sides(Static):
    """What the user and the agent are doing, and how loud they are. Mutable state: what is shown,
    the levels, and whether it is muted or text only."""

    def __init__(self, turns: Turns) -> None:
        super().__init__("")
        self._turns = turns
        self._shown: tuple[object, ...] = ()
        self.levels = (Level(), Level())  # the user's and the agent's
        self._on: set[Wish] = set()

    def switched(self, wish: Wish, on: bool) -> None:
        """It is muted, or text only, from now on, or no longer."""
        self._on = self._on | {wish} if on else self._on - {wish}

    def follow(self) -> None:
        """Draw it anew when it is not as it was."""
        moved = [level.next() for level in self.levels]
        now = (self._turns.user_is, self._turns.agent_is, self._on, self.size.width)
        if any(moved) or now != self._shown:
            self._shown = now
            self.update(self._both(max(1, self.size.width)), layout=False)

    def _both(self, width: int) -> Text:
        user, agent = self._turns.user_is, self._turns.agent_is
        agent = "starting" if agent == "initializing" else agent
        user = next((wish.value for wish in (Wish.TEXT_ONLY, Wish.MUTE) if wish in self._on), user)
        warned = {"muted": ERROR, "text only": WARNING, "thinking": WARNING}
        both = []
        for (name, state, colour), level in zip(
            ((names.USER, user, USER), (names.AGENT, agent, AGENT)), self.levels, strict=True
        ):
            busy = state == "speaking"
            style = warned.get(state, colour if busy else DIM)
            side = Text.assemble(
                (" ● " if busy else " ○ ", style), (name, f"{colour} bold"), " ", (state, style)
            )
            side.pad_right(max(0, 18 - len(side)))
            cells = min(24, width // 2 - len(side) - 3)
            if level.heard and cells >= 4:
                side += Text(" ") + level.shown(cells, colour if busy else FAINT)
            side.truncate(width // 2, pad=True)
            both.append(side)
        return both[0] + both[1]


class Keys(Static):
    """What the keys do, those of what is switched on in another colour."""

    def __init__(self, keys: Sequence[tuple[str, Wish, str]]) -> None:
        super().__init__("")
        self._keys = keys
        self._on: set[Wish] = set()

    def on_mount(self) -> None:
        self.switched(Wish.MUTE, False)

    def switched(self, wish: Wish, on: bool) -> None:
        """It is muted, or text only, from now on, or no longer."""
        self._on = self._on | {wish} if on else self._on - {wish}
        text = Text(no_wrap=True, overflow="ellipsis")
        for key, does, name in self._keys:
            style = WARNING if does in self._on else DIM
            text.append(f" {key} ", f"bold {WARNING if does in self._on else USER}")
            text.append(f"{name} ", style)
        self.update(text, layout=False)


class Heading(Static):
    """The program, who calls, and how long the call has lasted. Mutable state: what is shown."""

    def __init__(self, title: str, about: str) -> None:
        super().__init__("")
        self._title = title
        self._about = about
        self._shown: tuple[object, ...] = ()

    def follow(self, seconds: float | None) -> None:
        """Draw it anew once a second."""
        time = "" if seconds is None else clock(seconds)
        now = (time, self._about, self.size.width)
        if now != self._shown:
            self._shown = now
            left = Text.assemble((" antiphon", f"{AGENT} bold"), (f"  {self._title}", "bold"))
            right = Text.assemble((self._about, DIM), f"  {time} ")
            gap = self.size.width - left.cell_len - right.cell_len
            if gap < 2:
                right = Text(f"{time} ")
                left.truncate(max(1, self.size.width - len(right) - 1), overflow="ellipsis")
                gap = self.size.width - left.cell_len - len(right)
            self.update(left + Text(" " * max(1, gap)) + right, layout=False)


class TextLine(Input):
    """Where the user writes. Mutable state: the lines before, and which of them is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+j", "submit", show=False),  # Enter, pressed before the screen was there
        Binding("up", "earlier(-1)", show=False),
        Binding("down", "earlier(1)", show=False),
        Binding("ctrl+d", "delete_or_leave", show=False),
    ]

    class Leave(Message):
        """The end of the input, on a line that is empty."""

    def __init__(self) -> None:
        super().__init__(placeholder="type to the agent", select_on_focus=False, compact=True)
        self._before: list[str] = []
        self._place = 0

    def on_paste(self, event: events.Paste) -> None:
        """All of it, in one line; Textual's own takes the first line of it."""
        event.prevent_default()
        event.stop()
        self.replace(" ".join(event.text.split()), *self.selection)

    def taken(self) -> str:
        """The line, and an empty one in its place."""
        line, self.value = self.value.strip(), ""
        if line:
            self._before = [*[each for each in self._before if each != line], line]
        self._place = len(self._before)
        return line

    def action_earlier(self, step: int) -> None:
        """A line that was typed before; below the last one is an empty one."""
        self._place = min(max(0, self._place + step), len(self._before))
        self.value = [*self._before, ""][self._place]
        self.cursor_position = len(self.value)

    def action_delete_or_leave(self) -> None:
        if self.value:
            self.action_delete_right()
        else:
            self.post_message(self.Leave())
