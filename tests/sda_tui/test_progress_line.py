"""The bar of progress: what it shows, and how often it is drawn."""

import inspect
from pathlib import Path

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from sda_tui.app import SdaApp
from sda_tui.widgets.progress_line import ProgressLine


class CountingLine(ProgressLine):
    """Counts how often it is drawn."""

    drawn = 0

    def render(self) -> Text:
        self.drawn += 1
        return super().render()


class LineApp(App[None]):
    """A line of 25 cells: 20 of them are the bar."""

    CSS_PATH = Path(inspect.getfile(SdaApp)).parent / "styles" / "dashboard.tcss"
    CSS = "ProgressLine { width: 25; }"

    def compose(self) -> ComposeResult:
        yield CountingLine()


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (0, 0, "━" * 20 + "  --%"),
        (0, 8, "━" * 20 + "   0%"),
        (2, 8, "━" * 5 + "╺" + "━" * 14 + "  25%"),
        (3, 8, "━" * 7 + "╸" + "━" * 12 + "  37%"),
        (199, 200, "━" * 19 + "╸" + "  99%"),
        (8, 8, "━" * 20 + " 100%"),
        (9, 8, "━" * 20 + " 100%"),
    ],
)
async def test_bar_and_percentage_show_the_part_done(done: int, total: int, shown: str) -> None:
    app = LineApp()
    async with app.run_test() as pilot:
        line = app.query_one(CountingLine)
        line.show(done, total)
        await pilot.pause()
        assert line.render().plain == shown


async def test_line_is_drawn_only_when_it_looks_different() -> None:
    app = LineApp()
    async with app.run_test() as pilot:
        line = app.query_one(CountingLine)
        line.show(1000, 100_000)
        await pilot.pause()
        before = line.drawn
        for done in range(1000, 2000, 10):
            line.show(done, 100_000)
            await pilot.pause()
        assert line.drawn == before
        line.show(2000, 100_000)
        await pilot.pause()
        assert line.drawn == before + 1
