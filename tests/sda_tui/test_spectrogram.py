"""The spectrogram of a preview in the terminal."""

import numpy as np
import pytest
from textual.app import App, ComposeResult

from sda_tui.widgets.spectrogram import SHADES, UPPER_HALF, Spectrogram, pool


class PictureApp(App[None]):
    CSS = "Spectrogram { width: 8; height: 3; }"

    def compose(self) -> ComposeResult:
        yield Spectrogram()


def corner() -> np.ndarray:
    """Silent but for the highest bands of the last frames."""
    levels = np.zeros((12, 16), np.uint8)
    levels[6:, 8:] = 255
    return levels


def test_pooling_takes_means_and_puts_the_highest_band_first() -> None:
    levels = np.array([[0, 100], [200, 50]], np.uint8)
    assert pool(levels, 2, 2).tolist() == [[200, 50], [0, 100]]
    assert pool(levels, 1, 1).tolist() == [[88]]
    assert pool(levels, 4, 2).tolist() == [[200, 50], [200, 50], [0, 100], [0, 100]]
    assert pool(np.full((128, 94), 7, np.uint8), 16, 40).tolist() == [[7] * 40] * 16


async def test_cells_are_half_blocks_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    app = PictureApp()
    async with app.run_test() as pilot:
        picture = app.query_one(Spectrogram)
        picture.levels = corner()
        await pilot.pause()
        top, bottom = picture.render_line(0), picture.render_line(2)
        assert top.text == bottom.text == UPPER_HALF * 8
        dark, light = (list(top)[index].style for index in (0, -1))
        assert dark is not None
        assert light is not None
        assert sum(light.color.get_truecolor()) > 500 > 10 > sum(dark.color.get_truecolor())  # type: ignore[union-attr]
        assert list(bottom)[-1].style == dark


async def test_without_colour_cells_are_shades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = PictureApp()
    async with app.run_test() as pilot:
        picture = app.query_one(Spectrogram)
        picture.levels = corner()
        await pilot.pause()
        assert picture.render_line(0).text == " " * 4 + SHADES[-1] * 4
        assert picture.render_line(2).text == " " * 8


async def test_the_position_is_one_column_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PictureApp()
    async with app.run_test() as pilot:
        picture = app.query_one(Spectrogram)
        picture.levels = corner()
        for position, column in ((0.0, 0), (0.5, 4), (1.0, 7)):
            picture.position = position
            await pilot.pause()
            assert picture.render_line(1).text.index("│") == column
        picture.position = None
        await pilot.pause()
        assert "│" not in picture.render_line(1).text


async def test_a_size_that_has_just_changed_is_drawn_as_it_is() -> None:
    app = PictureApp()
    async with app.run_test() as pilot:
        picture = app.query_one(Spectrogram)
        picture.levels = corner()
        await pilot.pause()
        for width, height in ((3, 1), (20, 9), (8, 3)):
            picture.styles.width, picture.styles.height = width, height
            await pilot.pause()
            assert picture.render_line(height - 1).cell_length == width


async def test_no_picture_is_an_empty_one() -> None:
    app = PictureApp()
    async with app.run_test():
        assert app.query_one(Spectrogram).render_line(0).text.strip() == ""
