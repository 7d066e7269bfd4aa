"""A mel spectrogram, drawn in half blocks: two cells of it in each of the terminal's."""

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

UPPER_HALF = "▀"
SHADES = " ·░▒▓█"  # where the terminal has no more than 16 colours
SHADE_GAMMA = 0.6  # six shades show more of a sound when the quiet ones are lifted
STEPS = 32  # of colour, between silence and the loudest
LOUDEST = 255
# From black to light yellow, each step as much brighter as the one before: seen alike by the colour-blind.
PALETTE = (
    (0, 0, 4),
    (40, 11, 84),
    (101, 21, 110),
    (159, 42, 99),
    (212, 72, 66),
    (245, 125, 21),
    (250, 193, 39),
    (252, 255, 164),
)
PLAIN = Style()
POSITION = Style(color="white", bold=True)
FULL_COLOUR = {"256", "truecolor"}


class Spectrogram(Widget):
    """`levels` [mels, frames] are from 0, silence, to 255, with the lowest band first; None draws nothing.

    `position` is the part played, 0 to 1, or None.
    """

    levels: "reactive[npt.NDArray[np.uint8] | None]" = reactive(None, always_update=True)
    position: reactive[float | None] = reactive(None, repaint=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cells: npt.NDArray[np.uint8] | None = None
        self._column: int | None = None

    def watch_levels(self) -> None:
        self._cells = None

    def watch_position(self, position: float | None) -> None:
        """Draw again only when the mark moves to another column."""
        width = self.content_size.width
        column = min(width - 1, int(position * width)) if position is not None and width else None
        if column != self._column:
            self._column = column
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.content_size
        if self.levels is None or y >= height or not width:
            return Strip.blank(width, self.rich_style)
        if self._cells is None or self._cells.shape != (2 * height, width):
            self._cells = pool(self.levels, 2 * height, width)
        upper, lower = self._cells[2 * y].tolist(), self._cells[2 * y + 1].tolist()
        has_colour = self.app.console.color_system in FULL_COLOUR and not self.app.no_color
        draw = _colour_cell if has_colour else _shade_cell
        segments = [draw(above, below) for above, below in zip(upper, lower, strict=True)]
        if self._column is not None and self._column < width:
            behind = segments[self._column].style or PLAIN
            segments[self._column] = Segment("│", POSITION + Style(bgcolor=behind.bgcolor))
        return Strip(segments, width).simplify()


def pool(levels: "npt.NDArray[np.uint8]", height: int, width: int) -> "npt.NDArray[np.uint8]":
    """Levels [mels, frames] to a picture [height, width], highest band first: means of what each covers."""
    import numpy as np

    rows = _means(levels[::-1].astype(np.float32), height)
    return np.rint(_means(rows.T, width).T).astype(np.uint8)


def _means(values: "npt.NDArray[np.float32]", count: int) -> "npt.NDArray[np.float32]":
    """The rows made to so many: means of those that each covers, or the same again where they are fewer."""
    import numpy as np

    edges = np.linspace(0, len(values), count + 1)
    first = np.minimum(edges[:-1].astype(int), len(values) - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    means: npt.NDArray[np.float32] = (sums[last] - sums[first]) / (last - first)[:, None]
    return means


@lru_cache(2 * STEPS * STEPS)
def _styled(above: int, below: int) -> Segment:
    return Segment(UPPER_HALF, Style(color=_colour(above), bgcolor=_colour(below)))


def _colour_cell(above: int, below: int) -> Segment:
    return _styled(above * (STEPS - 1) // LOUDEST, below * (STEPS - 1) // LOUDEST)


def _shade_cell(above: int, below: int) -> Segment:
    share = (above + below) / (2 * LOUDEST)
    return Segment(SHADES[round(share**SHADE_GAMMA * (len(SHADES) - 1))], PLAIN)


def _colour(step: int) -> Color:
    at = step / (STEPS - 1) * (len(PALETTE) - 1)
    low = min(int(at), len(PALETTE) - 2)
    mixed = (a + (at - low) * (b - a) for a, b in zip(PALETTE[low], PALETTE[low + 1], strict=True))
    return Color.from_rgb(*mixed)
