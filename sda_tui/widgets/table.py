"""The table that lists of files and runs are shown in."""

from rich.text import Text
from textual.geometry import Size
from textual.widgets import DataTable


class Table(DataTable[Text]):
    """A row per item, chosen with the arrow keys; never drawn with columns of a width that is past.

    DataTable measures new rows when it is next idle, and caches drawn rows without regard to the
    width of their columns.  On a busy machine the first drawing comes before the measuring, and its
    cut-off cells would stay.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)

    def watch_virtual_size(self, _: Size) -> None:
        self.notify_style_update()  # forgets every cached row
