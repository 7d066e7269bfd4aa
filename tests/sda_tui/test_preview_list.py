"""The list of previews by itself: cursor, scrolling, filter and marks."""

from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult

from core.events import PreviewReady
from sda_tui.preview_catalogue import PreviewFilter
from sda_tui.widgets.preview_list import PreviewList

HEIGHT = 10


class ListApp(App[None]):
    CSS = f"PreviewList {{ width: 40; height: {HEIGHT}; overflow-x: hidden; }}"

    def __init__(self, previews: Sequence[PreviewReady]) -> None:
        super().__init__()
        self.events: list[object] = []
        self._previews = previews

    def compose(self) -> ComposeResult:
        yield PreviewList()

    def on_mount(self) -> None:
        self.list.show(self._previews)

    @property
    def list(self) -> PreviewList:
        return self.query_one(PreviewList)

    def on_preview_list_chosen(self, message: PreviewList.Chosen) -> None:
        self.events.append(message.preview)

    def on_preview_list_opened(self) -> None:
        self.events.append("opened")

    def on_preview_list_star_clicked(self) -> None:
        self.events.append("star")

    def screen_row(self) -> int:
        """Of the cursor, from the top of the list."""
        assert self.list.cursor_row is not None
        return self.list.cursor_row - round(self.list.scroll_y)


def preview(epoch: int, kind: str = "reconstruction", number: int = 0, near: str = "") -> PreviewReady:
    label = f"{kind} {number}" if number else kind
    path = f"previews/epoch-{epoch:04}-{label.replace(' ', '-')}.wav"
    return PreviewReady(epoch, epoch, kind, label, path, 1.0, (1.0,), near)


def epochs(*numbers: int) -> list[PreviewReady]:
    return [each for epoch in numbers for each in (preview(epoch), preview(epoch, "sample", 1, "a/kick.wav"))]


async def test_a_new_preview_does_not_move_the_cursor() -> None:
    """Neither to another preview nor to another row of the screen, whichever way the list is ordered."""
    app = ListApp(epochs(*range(20)))
    async with app.run_test(size=(60, 20)) as pilot:
        for newest_first in (True, False):
            app.list.newest_first = newest_first
            app.list.choose(preview(9))
            await pilot.pause()
            chosen, row = app.list.chosen, app.screen_row()
            drawn = app.list.render_line(row).text
            assert drawn.startswith("› ☆ reconstruction")
            app.list.show(epochs(*range(22)))
            await pilot.pause()
            assert (app.list.chosen, app.screen_row()) == (chosen, row)
            assert app.list.render_line(row).text == drawn
            app.list.show(epochs(*range(20)))


async def test_previews_of_an_earlier_epoch_do_not_move_the_cursor_either() -> None:
    """Those of the best epoch come last."""
    app = ListApp(epochs(*range(0, 60, 3)))
    async with app.run_test(size=(60, 20)):
        app.list.choose(preview(30))
        row = app.screen_row()
        app.list.show([*epochs(*range(0, 60, 3)), *epochs(31)])
        assert (app.list.chosen, app.screen_row()) == (preview(30), row)


async def test_the_cursor_follows_the_newest_unless_it_plays_or_the_mouse_is_over_the_list() -> None:
    app = ListApp(epochs(*range(20)))
    async with app.run_test(size=(60, 20)) as pilot:
        assert app.list.chosen == preview(19)
        app.list.show(epochs(*range(21)))
        assert app.list.chosen == preview(20)
        assert app.list.scroll_y == 0
        app.list.playing = preview(20).path
        app.list.show(epochs(*range(22)))
        assert app.list.chosen == preview(20)
        app.list.playing = None
        app.list.show(epochs(*range(21)))
        app.list.choose(preview(20))
        await pilot.hover(PreviewList, offset=(3, 3))
        assert app.list.mouse_hover
        before = app.list.render_line(3).text
        app.list.show(epochs(*range(22)))
        await pilot.pause()
        assert app.list.chosen == preview(20)
        assert app.list.render_line(3).text == before


async def test_a_click_chooses_two_play_and_the_wheel_scrolls() -> None:
    app = ListApp(epochs(*range(20)))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(PreviewList, offset=(5, 5))
        assert app.list.chosen == preview(18, "sample", 1, "a/kick.wav")
        assert "opened" not in app.events
        await pilot.click(PreviewList, offset=(5, 3))
        assert app.list.chosen == preview(18, "sample", 1, "a/kick.wav"), "a heading is no preview"
        await pilot.click(PreviewList, offset=(5, 4), times=2)
        assert app.events[-2:] == [preview(18), "opened"]
        app.list.scroll_to(y=30, animate=False, immediate=True)
        await pilot.click(PreviewList, offset=(5, 1))
        assert app.list.cursor_row == 31


async def test_a_click_on_the_mark_of_the_chosen_preview_stars_it() -> None:
    app = ListApp(epochs(0, 5))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(PreviewList, offset=(2, 2))
        assert app.list.chosen == preview(5, "sample", 1, "a/kick.wav")
        assert "star" not in app.events, "a click on another one chooses it"
        assert app.list.line(2).startswith("› ☆ sample 1")
        await pilot.click(PreviewList, offset=(2, 2))
        assert app.events[-1] == "star"
        await pilot.click(PreviewList, offset=(2, 1), times=2)
        assert app.events[-2:] == [preview(5), "opened"], "two clicks play, there as well"


async def test_keys_move_over_headings_and_to_both_ends() -> None:
    app = ListApp(epochs(0, 5, 10))
    async with app.run_test(size=(60, 20)) as pilot:
        rows = []
        for key in ("up", "down", "down", "up", "end", "down", "home", "pagedown", "pageup"):
            await pilot.press(key)
            rows.append(app.list.cursor_row)
        assert rows == [1, 2, 4, 2, 8, 8, 1, 8, 1]
        assert [app.list.line(row) for row in range(3)] == [
            "epoch 10", "› ☆ reconstruction", "    sample 1  near kick.wav"
        ]  # fmt: skip


async def test_best_epoch_stars_and_what_plays_are_marked_by_glyphs() -> None:
    app = ListApp(epochs(0, 5))
    async with app.run_test(size=(60, 20)):
        app.list.best_epoch = 5
        app.list.stars = {preview(5).path}
        app.list.playing = preview(5).path
        assert app.list.line(0) == "epoch 5 ◆ best"
        assert app.list.line(1) == "›▶★ reconstruction"
        assert app.list.line(3) == "epoch 0, untrained"


async def test_a_filter_keeps_the_cursor_near_and_says_when_it_is_empty() -> None:
    app = ListApp([preview(0, "original"), *epochs(0, 5, 10)])
    async with app.run_test(size=(60, 20)) as pilot:
        app.list.choose(preview(5))
        app.list.shown = PreviewFilter.SAMPLES
        assert app.list.chosen is not None
        assert (app.list.chosen.epoch, app.list.chosen.kind) == (5, "sample")
        assert app.list.counts == (3, 7)
        app.list.shown = PreviewFilter.STARRED
        assert app.list.chosen is None
        assert app.list.counts == (0, 7)
        assert "None is starred" in app.list.render_line(0).text
        app.list.stars = {preview(0, "original").path, preview(10).path}
        assert app.list.counts == (2, 7)
        app.list.choose(preview(0, "original"))
        app.list.stars = {preview(10).path}
        assert app.list.chosen == preview(10)
        await pilot.pause()
        assert app.events[-1] == preview(10)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (30, 6)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    app = ListApp(epochs(*range(5)))
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "end", "home")
        width = app.list.scrollable_content_region.width  # beside the scrollbar
        assert all(app.list.render_line(y).cell_length == width for y in range(app.list.size.height))
