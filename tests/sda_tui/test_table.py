"""The table of files and of runs."""

from rich.text import Text
from textual.app import App, ComposeResult

from sda_tui.widgets.table import Table


class Shown(App[None]):
    CSS = "Table { height: 1fr; }"  # one of fixed size gets no Resize, which would hide the fault

    def compose(self) -> ComposeResult:
        yield Table()


async def test_rows_drawn_before_they_are_measured_are_drawn_anew() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        table = app.query_one(Table)
        table.add_column("Run")
        table.add_row(Text("one"))
        await pilot.pause()
        table.add_row(Text("a name longer than the head"))
        assert "longer" not in table.render_line(2).text  # a busy machine paints before it measures
        await pilot.pause()
        assert "a name longer than the head" in table.render_line(2).text


async def test_the_same_rows_again_are_drawn_anew_too() -> None:
    """As after sorting: the size that the table needs is that of before."""
    app = Shown()
    async with app.run_test() as pilot:
        table = app.query_one(Table)
        for _ in range(2):
            table.clear(columns=True)
            table.add_column("Run")
            table.add_row(Text("a name longer than the head"))
            assert "longer" not in table.render_line(1).text
            await pilot.pause()
            assert "a name longer than the head" in table.render_line(1).text
