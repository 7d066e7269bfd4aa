"""The table of runs: filtered, sorted, and with the columns that fit."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import on
from textual.events import Click, Resize
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey

from core.runs import RunSummary
from sda_tui import format as fmt
from sda_tui.look import STAR
from sda_tui.summary_columns import (
    BY_AGE,
    GAP,
    LONGEST_NAME,
    SUMMARY_COLUMNS,
    SummaryColumn,
    fit_columns,
    matches,
    sort_runs,
)
from sda_tui.until_left import UntilLeft
from sda_tui.widgets.table import Table

MARK = "●"
MARKS = "mark"  # the key of the column of marks
ARROWS = ("▾", "▴")  # in the head that the runs are sorted by: as it is, and reversed
SCROLLBAR = 2


class MarkCell(Text):
    """The mark of a run, which the rows are put in order by."""

    def __init__(self, text: str, run_name: str) -> None:
        super().__init__(text)
        self.run_name = run_name


class RunTable(UntilLeft, Table):
    """A row per run, by name.  The cursor stays on its run, whatever is added, sorted or filtered.

    `words` are what a run must have to be shown, `sorted_by` is the head of a column.
    """

    words: reactive[str] = reactive("", init=False)
    sorted_by: reactive[str] = reactive(BY_AGE.head, init=False)
    is_reversed: reactive[bool] = reactive(False, init=False)

    class CellClicked(Message):
        """The star or the mark of a run was clicked."""

        def __init__(self, name: str, is_star: bool) -> None:
            super().__init__()
            self.name = name
            self.is_star = is_star

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.marked: set[str] = set()
        self._summaries: dict[str, RunSummary] = {}
        self._now_s = 0.0
        self._heads: tuple[str, ...] = ()
        self._rows: dict[str, tuple[str, ...]] = {}  # what is drawn, by run
        self._cells: dict[str, tuple[RunSummary, dict[str, str]]] = {}

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._draw_again)

    # -- what is shown ----------------------------------------------------------------------------------

    def show(self, summaries: Iterable[RunSummary], now_s: float) -> None:
        """Show these runs, which come newest first."""
        self._summaries = {each.name: each for each in summaries}
        self.marked &= self._summaries.keys()
        self._now_s = now_s
        self._fill()

    @property
    def summaries(self) -> Sequence[RunSummary]:
        return tuple(self._summaries.values())

    @property
    def chosen(self) -> RunSummary | None:
        """The run under the cursor."""
        if not 0 <= self.cursor_row < len(self.ordered_rows):
            return None
        return self._summaries.get(str(self.ordered_rows[self.cursor_row].key.value))

    @property
    def marked_runs(self) -> list[RunSummary]:
        """The marked runs, those that the filter hides too."""
        return [each for each in self._summaries.values() if each.name in self.marked]

    def toggle_mark(self, name: str) -> None:
        self.marked ^= {name}
        self._fill()

    def sort_by_next(self) -> None:
        """Sort by the next column that is shown."""
        heads = [head for head in self._heads if head != MARKS]
        place = heads.index(self.sorted_by) + 1 if self.sorted_by in heads else 0
        self.sorted_by = heads[place % len(heads)] if heads else BY_AGE.head

    def watch_words(self) -> None:
        self._fill()

    def watch_sorted_by(self) -> None:
        self._fill()

    def watch_is_reversed(self) -> None:
        self._fill()

    def on_resize(self, _: Resize) -> None:
        self._fill()

    # -- the mouse --------------------------------------------------------------------------------------

    @on(DataTable.HeaderSelected)
    def sort_by_clicked(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        head = str(event.column_key.value)
        if head == self.sorted_by:
            self.is_reversed = not self.is_reversed
        elif head != MARKS:
            self.sorted_by = head

    def on_click(self, event: Click) -> None:
        """A click on a mark or a star changes it; any other chooses the run."""
        place = event.style.meta
        row, column = place.get("row", -1), place.get("column", -1)
        if 0 <= row < len(self.ordered_rows) and 0 <= column < len(self._heads):
            head = self._heads[column]
            if head in (MARKS, STAR):
                event.prevent_default()
                event.stop()
                name = str(self.ordered_rows[row].key.value)
                self.post_message(self.CellClicked(name, is_star=head == STAR))

    # -- drawing ----------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Draw what changed.  Only where the order or the columns changed, all rows are drawn again."""
        if not self.size.width:
            return
        by = next(column for column in SUMMARY_COLUMNS if column.head == self.sorted_by)
        wanted = [each for each in self._summaries.values() if matches(each, self.words)]
        runs = sort_runs(wanted, by, self.is_reversed)
        columns = self._fitting(runs)
        heads = (MARKS, *(column.head for column in columns))
        if heads == self._heads:
            self._show_heads(columns)
        rows = {run.name: self._row(run, columns) for run in runs}
        names, drawn = list(rows), list(self._rows)
        if heads != self._heads or not rows.keys() >= self._rows.keys():
            self._draw_all(rows, columns)
        else:
            self._update(rows, columns)
            if names[: len(drawn)] != drawn:
                self._reorder(names)
        self._heads, self._rows = heads, rows

    def _draw_again(self, _: object) -> None:
        """In the colours of another theme, which cells hold."""
        self._heads = ()
        self._fill()

    def _fitting(self, runs: Sequence[RunSummary]) -> list[SummaryColumn]:
        widths = [
            (
                column,
                max(len(self._head(column)), max((len(self._text(run, column)) for run in runs), default=0)),
            )
            for column in SUMMARY_COLUMNS
        ]
        return fit_columns(widths, self.size.width - len(MARK) - GAP - SCROLLBAR)

    def _text(self, run: RunSummary, column: SummaryColumn) -> str:
        summary, cells = self._cells.get(run.name, (None, {}))
        if summary is not run:
            cells = {each.head: each.cell(run, self._now_s) for each in SUMMARY_COLUMNS}
            cells["Run"] = fmt.shorten(
                cells["Run"], LONGEST_NAME if self.size.width < 160 else 2 * LONGEST_NAME
            )
            self._cells[run.name] = (run, cells)
        return column.cell(run, self._now_s) if column is BY_AGE else cells[column.head]

    def _show_heads(self, columns: Sequence[SummaryColumn]) -> None:
        """Move the arrow to the column that the runs are sorted by."""
        for column in columns:
            self.columns[ColumnKey(column.head)].label = Text(self._head(column), justify=column.justify)
        self.notify_style_update()  # clears the cache of drawn rows, the head among them

    def _head(self, column: SummaryColumn) -> str:
        """Its head, as wide with the arrow as without."""
        return column.head + (ARROWS[self.is_reversed] if column.head == self.sorted_by else " ")

    def _row(self, run: RunSummary, columns: Sequence[SummaryColumn]) -> tuple[str, ...]:
        mark = MARK if run.name in self.marked else " "
        return (mark, *(self._text(run, column) for column in columns))

    def _cell(self, name: str, text: str, column: SummaryColumn | None) -> Text:
        if column is None:
            return MarkCell(text, name)
        style = self.app.theme_variables[column.tone(self._summaries[name])] if column.tone else ""
        return Text(text, style=style, justify=column.justify)

    def _update(self, rows: dict[str, tuple[str, ...]], columns: Sequence[SummaryColumn]) -> None:
        everything = (None, *columns)
        for name, row in rows.items():
            before = self._rows.get(name)
            if before is None:
                self.add_row(
                    *(self._cell(name, text, column) for text, column in zip(row, everything, strict=True)),
                    key=name,
                )
            elif before != row:
                for text, former, column in zip(row, before, everything, strict=True):
                    if text != former:
                        head = column.head if column is not None else MARKS
                        self.update_cell(name, head, self._cell(name, text, column), update_width=True)

    def _reorder(self, names: Sequence[str]) -> None:
        """Bring the rows into this order; the cursor goes with its run."""
        chosen = self.chosen
        places = {name: place for place, name in enumerate(names)}
        self.sort(MARKS, key=lambda mark: places[mark.run_name])
        if chosen is not None:
            self.move_cursor(row=places[chosen.name])

    def _draw_all(self, rows: dict[str, tuple[str, ...]], columns: Sequence[SummaryColumn]) -> None:
        chosen, top = self.chosen, self.scroll_y
        with self.prevent(DataTable.RowHighlighted):
            self.clear(columns=True)
            self.add_column(" ", key=MARKS)
            for column in columns:
                head = Text(self._head(column), justify=column.justify)
                self.add_column(head, key=column.head)
            self._rows = {}
            self._update(rows, columns)
            if chosen is not None and chosen.name in rows:
                self.move_cursor(row=list(rows).index(chosen.name))
                self.scroll_to(y=top, animate=False)
                self.call_after_refresh(self._show_cursor)
        # Another run may be under the cursor, or none.
        self.post_message(self.Chosen())

    def _show_cursor(self) -> None:
        if self.is_valid_coordinate(self.cursor_coordinate):
            self.move_cursor(row=self.cursor_row, scroll=True)

    class Chosen(Message):
        """What is under the cursor may be another run."""
