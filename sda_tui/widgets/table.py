"""The table of files and of runs."""

from typing import Self

from rich.text import Text
from textual.geometry import Size
from textual.widgets import DataTable


class Table(DataTable[Text]):
    """A row per item, chosen with the arrow keys; never drawn with outdated column widths.

    DataTable measures new rows when it is next idle, and caches drawn rows whatever the width of their
    columns.  On a busy machine rows are drawn before they are measured, and their cut-off cells would stay.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)

    def clear(self, columns: bool = False) -> Self:
        """Remove all rows.  The size is not that of the next ones, even if they need as much room."""
        self.virtual_size = Size()
        return super().clear(columns)

    def watch_virtual_size(self, _: Size) -> None:
        self.notify_style_update()  # clears the cache of drawn rows
