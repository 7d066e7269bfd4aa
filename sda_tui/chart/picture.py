"""A drawn chart, before it has colours: characters, and the role of each, which a theme gives its style."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sda_tui.chart.raster import SPACE, Codes

PLAIN, GUIDE, CURSOR, BEST, TITLE = range(5)  # roles; those of curve i are line(i) and envelope(i)
FIRST_CURVE = 5
ELLIPSIS = "…"


def line_role(curve: int) -> int:
    return FIRST_CURVE + 2 * curve


def envelope_role(curve: int) -> int:
    return FIRST_CURVE + 2 * curve + 1


class Span(NamedTuple):
    """Text with one role."""

    text: str
    role: int


class Canvas:
    """Cells of a plot [rows, columns] that layers are put on, each replacing what is below it."""

    def __init__(self, width: int, height: int) -> None:
        self.codes: Codes = np.full((height, width), SPACE, dtype=np.int32)
        self.roles: npt.NDArray[np.uint8] = np.zeros((height, width), dtype=np.uint8)

    def put(self, codes: Codes, role: int) -> None:
        """Lay characters over the cells; spaces are transparent."""
        drawn = codes != SPACE
        np.copyto(self.codes, codes, where=drawn)
        self.roles[drawn] = role

    def put_behind(self, codes: Codes, role: int) -> None:
        """Fill cells that are empty so far."""
        drawn = (self.codes == SPACE) & (codes != SPACE)
        np.copyto(self.codes, codes, where=drawn)
        self.roles[drawn] = role

    def put_cell(self, row: int, column: int, character: str, role: int) -> None:
        if 0 <= row < self.codes.shape[0] and 0 <= column < self.codes.shape[1]:
            self.codes[row, column], self.roles[row, column] = ord(character), role

    def rows(self) -> list[list[Span]]:
        """Each row as spans of one role; spaces, which look alike in each, belong to what is before them."""
        height, width = self.codes.shape
        if not width:
            return [[] for _ in range(height)]
        text = self.codes.astype("<u4").tobytes().decode("utf-32-le")
        drawn = np.where(self.codes.ravel() != SPACE, np.arange(height * width), 0)
        roles = self.roles.ravel()[np.maximum.accumulate(drawn)]
        changes = roles[1:] != roles[:-1]
        changes[width - 1 :: width] = True
        edges = [0, *(changes.nonzero()[0] + 1).tolist(), height * width]
        spans: list[list[Span]] = [[] for _ in range(height)]
        for start, stop, role in zip(edges, edges[1:], roles[edges[:-1]].tolist(), strict=False):
            spans[start // width].append(Span(text[start:stop], role))
        return spans


@dataclass(frozen=True)
class Picture:
    """A drawn chart: a title, the rows of the plot, each after a label, and the axis below.

    Without a canvas there is no room for a plot, and no row but the title holds anything.
    """

    width: int
    rows: tuple[tuple[Span, ...], ...]
    canvas: Canvas | None = None
    plot_left: int = 0


def bare_picture(title: Sequence[Span], width: int, height: int) -> Picture:
    """The title alone, in so many rows."""
    blank = (Span(" " * width, PLAIN),)
    return Picture(width, (pad(title, width), *(blank for _ in range(height - 1)))[:height])


def plot_picture(
    title: Sequence[Span], canvas: Canvas, labels: Mapping[int, str], gutter: int, axis: str
) -> Picture:
    """A canvas with its title, labels of its rows in so many columns, and the labels of its x axis."""
    width = gutter + canvas.codes.shape[1]
    plot = [
        (Span(labels.get(row, "")[: gutter - 1].rjust(gutter - 1) + " ", PLAIN), *spans)
        for row, spans in enumerate(canvas.rows())
    ]
    return Picture(
        width, (pad(title, width), *plot, pad([Span(" " * gutter + axis, PLAIN)], width)), canvas, gutter
    )


def pad(spans: Sequence[Span], width: int) -> tuple[Span, ...]:
    """With spaces to this width."""
    return (*spans, Span(" " * (width - sum(len(span.text) for span in spans)), PLAIN))


def fit_spans(variants: Iterable[Sequence[Span]], width: int) -> list[Span]:
    """The first of the variants that fits, else the last, cut off with a mark."""
    last: Sequence[Span] = ()
    for last in variants:
        if sum(len(span.text) for span in last) <= width:
            return list(last)
    left, cut = width, list[Span]()
    for span in last:
        if len(span.text) > left:
            return [*cut, Span((span.text[: left - 1] + ELLIPSIS)[:left], span.role)] if left > 0 else cut
        cut.append(span)
        left -= len(span.text)
    return cut
