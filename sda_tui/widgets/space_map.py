"""A map of the training sounds along the two strongest directions of the latent space, to walk on."""

from collections.abc import Sequence
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

Point = tuple[float, float]

HERE, MADE, BASE = "◆", "•", "○"
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column
BRAILLE = 0x2800
MARGIN = 0.5  # deviations around the outermost sounds
STEP = 0.25  # deviations that a key moves


class SpaceMap(Widget, can_focus=True):
    """`points` are the training sounds, `made` others; `here` is the place, and `base` the sound moved there.

    Posts `Walked` with where to go.
    """

    COMPONENT_CLASSES = {"space-map--sounds", "space-map--made", "space-map--base", "space-map--here"}
    BINDINGS = [
        Binding("left", "walk(-1, 0)", show=False),
        Binding("right", "walk(1, 0)", show=False),
        Binding("up", "walk(0, 1)", show=False),
        Binding("down", "walk(0, -1)", show=False),
    ]

    points: reactive[Sequence[Point]] = reactive((), layout=False)
    made: reactive[Sequence[Point]] = reactive((), layout=False)
    here: reactive[Point] = reactive((0.0, 0.0))
    base: reactive[Point] = reactive((0.0, 0.0))

    class Walked(Message):
        def __init__(self, to: Point) -> None:
            super().__init__()
            self.to = to

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._bounds: tuple[Point, Point] = (-1.0, 1.0), (-1.0, 1.0)

    def action_walk(self, right: int, up: int) -> None:
        x, y = self.here
        self.here = x + right * STEP, y + up * STEP  # at once: the next key may come before the answer
        self.post_message(self.Walked(self.here))

    def on_click(self, event: Click) -> None:
        size = self.content_size
        offset = event.get_content_offset(self)
        if offset is None or not size.width or not size.height:
            return
        (left, right), (bottom, top) = self._bounds
        x = left + (offset.x + 0.5) / size.width * (right - left)
        y = top - (offset.y + 0.5) / size.height * (top - bottom)
        self.post_message(self.Walked((x, y)))

    def render_line(self, y: int) -> Strip:
        size = self.content_size
        if not size.width or y >= size.height:
            return Strip.blank(size.width, self.rich_style)
        cells = [BRAILLE] * size.width
        for point in self.points:
            column, row = self._place(point, size.width * 2, size.height * 4)
            if row // 4 == y:
                cells[column // 2] |= DOTS[row % 4][column % 2]
        letters = [chr(cell) if cell != BRAILLE else " " for cell in cells]
        styles = [self._style("sounds")] * size.width
        for points, letter, name in (
            (self.made, MADE, "made"),
            ((self.base,), BASE, "base"),
            ((self.here,), HERE, "here"),
        ):
            for point in points:
                column, row = self._place(point, size.width, size.height)
                if row == y:
                    letters[column], styles[column] = letter, self._style(name)
        columns = groupby(range(size.width), key=styles.__getitem__)
        return Strip([Segment("".join(letters[at] for at in group), style) for style, group in columns])

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"space-map--{name}")

    def _place(self, point: Point, width: int, height: int) -> tuple[int, int]:
        """Column and row of a point, of so many; what lies outside is drawn at the edge."""
        (left, right), (bottom, top) = self._bounds
        column = int((point[0] - left) / (right - left) * width)
        row = int((top - point[1]) / (top - bottom) * height)
        return max(0, min(width - 1, column)), max(0, min(height - 1, row))

    def watch_points(self, points: Sequence[Point]) -> None:
        """The least and the largest value along both directions, with a margin."""
        (left, right), (bottom, top) = (
            (min(along), max(along)) for along in zip(*(points or ((0.0, 0.0),)), strict=True)
        )
        self._bounds = (left - MARGIN, right + MARGIN), (bottom - MARGIN, top + MARGIN)
