"""The live screen of `top`."""

from typing import ClassVar, Literal

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import DataTable, Footer, Input, Static

from spliceproxy.cli.columns import is_number, printable
from spliceproxy.cli.top.look import AdminApi, Look, Rates
from spliceproxy.cli.top.poller import Poller
from spliceproxy.cli.top.summary import summarize
from spliceproxy.cli.top.views import CONNECTIONS, VIEWS, Cell, Row, View, arrange, select
from spliceproxy.errors import AskingProblem

_STYLES = {"": "", "bad": "bold red", "warn": "yellow"}


class Seen(Message):
    """What the poller has seen, or why it could see nothing."""

    def __init__(self, what: Look | AskingProblem) -> None:
        super().__init__()
        self.what = what


class TopScreen(App[None]):
    """Shows one table at a time, sorted and filtered as asked."""

    TITLE = "spliceproxy top"
    CSS = """
    #summary { height: auto; padding: 0 1; }
    #trouble { height: auto; padding: 0 1; color: $text-error; display: none; }
    #heading { height: 1; padding: 0 1; background: $boost; }
    #filter { display: none; height: 3; }
    DataTable { height: 1fr; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        ("r", "view(0)", "Routes"),
        ("b", "view(1)", "Backends"),
        ("m", "view(2)", "Mirrors"),
        ("c", "view(3)", "Connections"),
        ("s", "sort(1)", "Next column"),
        ("S", "sort(-1)", "Previous column"),
        ("o", "turn", "Turn"),
        ("slash", "filter", "Filter"),
        ("escape", "clear", "Show all"),
        ("space", "pause", "Pause"),
        ("q", "quit", "Quit"),
    ]

    def __init__(self, client: AdminApi, interval_s: float, first: Look) -> None:
        super().__init__()
        self._now = first
        self._before: Look | None = None
        self._view = VIEWS[0]
        self._sorted_by = {view.name: view.sorted_by for view in VIEWS}
        self._falling = True
        self._wanted = ""
        self._paused = False
        self._poller = Poller(client, interval_s, lambda what: self._hand_over(what))

    def _hand_over(self, what: Look | AskingProblem) -> None:
        self.post_message(Seen(what))  # which is safe from any thread

    def compose(self) -> ComposeResult:
        """Make the parts of the screen."""
        yield Static(id="summary", markup=False)
        yield Static(id="trouble", markup=False)
        yield Static(id="heading", markup=False)
        yield Input(placeholder="show rows with this text", id="filter")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Draw what was seen first, and begin to poll."""
        self._table.focus()
        self._draw()
        self._poller.start()

    def on_unmount(self) -> None:
        """Stop polling."""
        self._poller.stop()

    def on_seen(self, message: Seen) -> None:
        """Show what the poller has seen."""
        trouble = self.query_one("#trouble", Static)
        trouble.display = isinstance(message.what, AskingProblem)
        if isinstance(message.what, AskingProblem):
            trouble.update(printable(str(message.what)))
        elif not self._paused:
            self._before, self._now = self._now, message.what
            self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the text is being typed."""
        self._wanted = event.value
        self._draw()

    def on_input_submitted(self) -> None:
        """Go back to the table, and keep the filter."""
        self._table.focus()

    def action_view(self, number: int) -> None:
        """Show another table."""
        self._view = VIEWS[number]
        self._poller.want_connections(wanted=self._view is CONNECTIONS)
        self._draw()

    def action_sort(self, step: int) -> None:
        """Sort by another column."""
        columns = len(self._view.columns)
        self._sorted_by[self._view.name] = (self._sorted_by[self._view.name] + step) % columns
        self._draw()

    def action_turn(self) -> None:
        """Sort the other way."""
        self._falling = not self._falling
        self._draw()

    def action_filter(self) -> None:
        """Ask what to show."""
        field = self.query_one(Input)
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        """Show everything again."""
        field = self.query_one(Input)
        field.value = ""
        field.display = False
        self._table.focus()

    def action_pause(self) -> None:
        """Keep the screen as it is, or let it follow again."""
        self._paused = not self._paused
        self._draw()

    @property
    def _table(self) -> "DataTable[Text]":
        return self.query_one(DataTable)

    def _draw(self) -> None:
        rates = Rates(self._now, self._before)
        self.query_one("#summary", Static).update("\n".join(summarize(self._now, rates)))
        view, column = self._view, self._sorted_by[self._view.name]
        rows = select(view.rows(self._now, rates), self._wanted)
        self.query_one("#heading", Static).update(self._heading(view, column, len(rows)))
        self._fill(view, column, arrange(rows, column, falling=self._falling))

    def _heading(self, view: View, column: int, count: int) -> str:
        order = "falling" if self._falling else "rising"
        parts = [f"{count} {view.name}", f"by {view.columns[column]}, {order}"]
        if self._wanted:
            parts.append(f"with {printable(self._wanted)!r}")
        if self._paused:
            parts.append("paused")
        return " · ".join(parts)

    def _fill(self, view: View, sorted_by: int, rows: list[Row]) -> None:
        table, top, cursor = self._table, self._table.scroll_y, self._table.cursor_row
        table.clear(columns=True)
        for number, title in enumerate(view.columns):
            label = Text(title, style="reverse" if number == sorted_by else "")
            widths = (len(row[number].text) for row in rows)
            table.add_column(label, width=max(len(title), *widths, 0))
        for row in rows:
            table.add_row(*map(_draw_cell, row))
        table.move_cursor(row=min(cursor, max(len(rows) - 1, 0)), scroll=False)
        table.scroll_to(y=top, animate=False)


def _draw_cell(cell: Cell) -> Text:
    justify: Literal["right", "left"] = "right" if is_number(cell.text) else "left"
    return Text(cell.text, style=_STYLES[cell.mark], justify=justify)
