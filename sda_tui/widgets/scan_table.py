"""The verdict of every file, sorted by any column."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.text import Text
from textual import on
from textual.widgets import DataTable

from core.data.report import FileReport
from sda_tui import format as fmt
from sda_tui.look import VERDICTS, describe_format, describe_level, describe_relative
from sda_tui.widgets.table import Table

HELD_OUT = "Held out"  # a column that is there when a run knows the error of some of the files

ORDERS: dict[str, Callable[[FileReport], Any]] = {
    "File": lambda file: file.printable_path.lower(),
    "Verdict": lambda file: (file.usable, file.verdict.value, file.path),
    "Length": lambda file: (-file.duration_s, file.path),
    "Peak": lambda file: (-file.peak_db, file.path),
    "LUFS": lambda file: (-(file.loudness_lufs or -math.inf), file.path),
    "Format": lambda file: (file.format, file.sample_rate, file.channels, file.path),
    "Detail": lambda file: (not file.detail, file.detail, file.path),
}


FALLING = {"Length", "Peak", "LUFS", HELD_OUT}  # the largest first


class ScanTable(Table):
    """A row per file; sorted by a click on a column's header, or by `sort_by_next`."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id)
        self._files: dict[str, FileReport] = {}
        self._order = "File"
        self._reversed = False
        self._held_out: Mapping[str, float] = {}

    def on_mount(self) -> None:
        self._label_columns()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._sort_by(self._order, self._reversed))

    @property
    def chosen(self) -> FileReport | None:
        """The file that the cursor is on."""
        if not self.row_count:
            return None
        key = self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value
        return self._files.get(str(key))

    def empty(self) -> None:
        self._files.clear()
        self.clear()

    def add_files(self, files: Iterable[FileReport]) -> None:
        """Add files, and update those that are in the table already."""
        for file in files:
            if file.path in self._files:
                for column, cell in zip(self._columns, self._cells(file), strict=True):
                    self.update_cell(file.path, column, cell, update_width=True)
            else:
                self.add_row(*self._cells(file), key=file.path)
            self._files[file.path] = file

    def show_held_out(self, relative_errors: Mapping[str, float]) -> None:
        """Show the errors of files that a run held out, by path, relative to their median."""
        if relative_errors != self._held_out:
            self._held_out = relative_errors
            self._order = "File" if self._order == HELD_OUT else self._order
            self._label_columns()
            self.sort_rows()

    def sort_rows(self) -> None:
        """Sort the rows; those added since the last sort are at the end until then."""
        self.clear()
        order = self._columns[self._order]
        for file in sorted(self._files.values(), key=order, reverse=self._reversed):
            self.add_row(*self._cells(file), key=file.path)

    def sort_by_next(self) -> None:
        """Sort by the next column."""
        names = list(self._columns)
        self._sort_by(names[(names.index(self._order) + 1) % len(names)], is_reversed=False)

    @on(DataTable.HeaderSelected)
    def sort_by_header(self, event: DataTable.HeaderSelected) -> None:
        name = str(event.column_key.value)
        self._sort_by(name, is_reversed=name == self._order and not self._reversed)

    def _sort_by(self, name: str, is_reversed: bool) -> None:
        self._order, self._reversed = name, is_reversed
        self._label_columns()
        self.sort_rows()

    @property
    def _columns(self) -> dict[str, Callable[[FileReport], Any]]:
        """The columns from left to right, and what each sorts by."""
        if not self._held_out:
            return ORDERS
        hardest_first = {HELD_OUT: lambda file: (-self._held_out.get(file.path, 0.0), file.path)}
        *others, detail = ORDERS.items()
        return {**dict(others), **hardest_first, **dict([detail])}

    def _label_columns(self) -> None:
        """Mark the column sorted by with an arrow; DataTable cannot rename columns in place."""
        self.clear(columns=True)
        for name in self._columns:
            is_falling = self._reversed != (name in FALLING)
            arrow = (" ▼" if is_falling else " ▲") if name == self._order else ""
            self.add_column(name + arrow, key=name)

    def _cells(self, file: FileReport) -> tuple[Text, ...]:
        glyph, tone = VERDICTS[file.verdict]
        length = fmt.sound_duration(file.duration_s) if file.sample_rate else ""
        cells = [
            Text(file.printable_path),
            Text(f"{glyph} {file.verdict.value}", style=self.app.theme_variables[tone]),
            Text(length, justify="right"),
            *(Text(level, justify="right") for level in describe_level(file)),
            Text(describe_format(file)),
        ]
        if self._held_out:
            error = self._held_out.get(file.path)
            cells.append(Text(describe_relative(error) if error else "", justify="right"))
        return (*cells, Text(file.detail))
