"""The console's screen itself: one picture, drawn at most fifteen times a second, and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.theme import Theme
from textual.widgets import Input, Label

from antiphon.screen import Wish
from antiphon.screen_lines import AGENT, ERROR, USER, WARNING, WORDS
from antiphon.screen_widgets import Conversation, Heading, Keys, Sides, TextLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events

    from antiphon.screen_turns import Turns

PICTURES: Final = 15  # a second, at most

KEYS: Final = (
    ("esc", Wish.INTERRUPT, "interrupt"),
    ("^s", Wish.MUTE, "mute"),
    ("^t", Wish.TEXT_ONLY, "text"),
    ("^q", Wish.HANG_UP, "quit"),
)
OF_SOUND: Final = (Wish.MUTE, Wish.TEXT_ONLY)

THEME: Final = Theme(
    name="antiphon",
    primary=USER,
    secondary=AGENT,
    warning=WARNING,
    error=ERROR,
    success=AGENT,
    accent=USER,
    foreground=WORDS,
    background="#14161b",
    surface="#14161b",
    panel="#1c1f26",
    dark=True,
)


class ConsoleApp(App[None]):
    """Shows `turns`; `wish` is told what is asked for, `seconds` says how long the call lasts,
    `behind` whether the last picture is still on its way."""

    CSS = """
    Heading { height: 1; background: $panel; }
    Conversation { height: 1fr; margin-bottom: 1; scrollbar-color: $panel-lighten-2;
        scrollbar-background: $background; scrollbar-color-hover: $panel-lighten-3; }
    Sides { height: 1; background: $panel; }
    #line { height: 1; margin: 1 0; }
    #line Label { width: 3; color: $primary; text-style: bold; }
    TextLine { width: 1fr; background: $background; border: none; padding: 0; }
    TextLine:focus { border: none; background-tint: $background 0%; }
    Keys { height: 1; background: $panel; }
    .short #line, .short Conversation { margin: 0; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "wish('INTERRUPT')", priority=True),
        Binding("ctrl+s", "wish('MUTE')", priority=True),
        Binding("ctrl+t", "wish('TEXT_ONLY')", priority=True),
        Binding("ctrl+q,ctrl+c", "wish('HANG_UP')", priority=True),
        Binding("pageup", "scroll(-1)"),
        Binding("pagedown", "scroll(1)"),
    ]

    def __init__(
        self,
        turns: Turns,
        title: str,
        caller: str,
        *,
        microphone: bool,
        wish: Callable[[Wish | str], None],
        seconds: Callable[[], float | None],
        ready: Callable[[], None],
        behind: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.sides = Sides(turns)
        self.heading = Heading(title, caller)
        self._microphone = microphone
        self.keys = Keys([key for key in KEYS if microphone or key[1] not in OF_SOUND])
        self._wish = wish
        self._seconds = seconds
        self._is_ready = ready
        self._behind = behind
        self._conversation = Conversation(turns)
        self._line = TextLine()

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self._conversation
        yield self.sides
        with Horizontal(id="line"):
            yield Label(" › ")
            yield self._line
        yield self.keys

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = THEME.name
        self._line.focus()
        self.app_resume_signal.subscribe(self, self._whole)
        self.set_interval(1 / PICTURES, self.follow)
        self.call_after_refresh(self._first)

    def _first(self) -> None:
        self.follow()
        self._is_ready()

    def _whole(self, _: object) -> None:
        """The program was stopped, and goes on: nothing is left of the picture."""
        self.screen.refresh(layout=True)

    def on_resize(self, event: events.Resize) -> None:
        self.screen.set_class(event.size.height < 16, "short")

    def follow(self) -> None:
        """Draw what is not as it was, unless the terminal has not taken the last picture yet."""
        if self._behind():
            return
        self._conversation.follow()
        self.sides.follow()
        self.heading.follow(self._seconds())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where there is no microphone, there is nothing to mute."""
        return self._microphone or not {wish.name for wish in OF_SOUND} & {*map(str, parameters)}

    def switched(self, wish: Wish, on: bool) -> None:
        """It is muted, or text only, from now on, or no longer."""
        self.sides.switched(wish, on)
        self.keys.switched(wish, on)

    def action_wish(self, name: str) -> None:
        self._wish(Wish[name])

    def action_scroll(self, pages: int) -> None:
        if pages < 0:
            self._conversation.scroll_page_up(animate=False)
        else:
            self._conversation.scroll_page_down(animate=False)

    def on_input_submitted(self, _: Input.Submitted) -> None:
        if line := self._line.taken():
            self._wish(line)

    def on_text_line_leave(self, _: TextLine.Leave) -> None:
        self._wish(Wish.HANG_UP)
