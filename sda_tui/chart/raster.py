"""Curves as dots, and dots as characters: braille, of 4 rows by 2 columns, or quarters of a cell.

Everything is done by dot column: from which dot row to which it is filled.  What that makes of a cell is
looked up, so that no picture of single dots is ever made.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sda_tui.chart.sampling import Floats, Nodes

Codes = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int16]
SPACE = ord(" ")
DOT_COLUMNS = 2  # in a cell, of both kinds
Pattern = tuple[tuple[int, int], ...]  # 1 for the dots of a cell that are drawn, by row and column
EVERY: Pattern = ((1, 1),) * 4
EVERY_SECOND: Pattern = ((1, 0), (0, 1)) * 2
EVERY_FOURTH: Pattern = ((1, 0), (0, 0), (0, 1), (0, 0))
LEFT_ALONE: Pattern = ((1, 0),) * 4


class DotKind(NamedTuple):
    """Characters made of dots: the bit of each dot of a cell, by row and column, and the character of each
    combination."""

    bits: tuple[tuple[int, int], ...]
    characters: Codes

    @property
    def rows(self) -> int:
        return len(self.bits)


def _braille() -> Codes:
    codes = np.arange(0x2800, 0x2900, dtype=np.int32)
    codes[0] = SPACE
    return codes


BRAILLE = DotKind(((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80)), _braille())
QUARTERS = DotKind(((1, 2), (4, 8)), np.array([ord(each) for each in " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"], dtype=np.int32))


class Trace(NamedTuple):
    """A curve at each dot column, as heights of the plot: 0 at its top, 1 at its bottom.

    NaN where it is broken; the line is between lowest and highest.
    """

    line: Floats
    lowest: Floats
    highest: Floats

    def line_codes(self, rows: int, kind: DotKind, pattern: Pattern = EVERY, is_thick: bool = False) -> Codes:
        """The characters of the line, one or two dots thick, in so many rows of cells."""
        top, bottom = _join(self.line, rows * kind.rows)
        bottom += is_thick
        return kind.characters.take(_fill(top, bottom, rows, kind, pattern))

    def envelope_codes(self, rows: int, kind: DotKind) -> Codes:
        """Those between lowest and highest: fewer dots the farther from the line, so that it stands out."""
        dot_rows = rows * kind.rows
        top, _ = _join(self.highest, dot_rows)
        _, bottom = _join(self.lowest, dot_rows)
        line = self.line * (dot_rows - 1)
        near = _fill((top + line) / 2, (bottom + line) / 2, rows, kind, EVERY_SECOND)
        return kind.characters.take(near | _fill(top, bottom, rows, kind, EVERY_FOURTH))

    def columns_beyond(self) -> tuple[list[int], list[int]]:
        """The columns of cells in which something lies above the plot, and below it."""
        above, below = np.fmin(self.line, self.highest) < 0, np.fmax(self.line, self.lowest) > 1
        return _cells(above), _cells(below)


def join_nodes(nodes: Nodes, heights: Floats, dots: int) -> Floats:
    """The heights of nodes, and straight lines between them, at each of so many dot columns."""
    if not len(nodes.dot):
        return np.full(dots, np.nan)
    return np.interp(np.arange(dots), nodes.dot, heights, np.nan, np.nan)


def _cells(columns: npt.NDArray[np.bool_]) -> list[int]:
    return sorted({dot // DOT_COLUMNS for dot in columns.nonzero()[0].tolist()})


def _join(heights: Floats, dot_rows: int) -> tuple[Floats, Floats]:
    """First and last dot row of each column, so that it meets its neighbours halfway."""
    rows = heights * (dot_rows - 1)
    halfway = (rows[1:] + rows[:-1]) / 2
    top, bottom = rows.copy(), rows.copy()
    for side in (slice(1, None), slice(None, -1)):
        np.fmin(top[side], halfway, out=top[side])
        np.fmax(bottom[side], halfway, out=bottom[side])
    return top, bottom


def _fill(top: Floats, bottom: Floats, rows: int, kind: DotKind, pattern: Pattern) -> Bits:
    """The bits of each cell [rows, columns], each dot column filled from top to bottom; not where NaN."""
    dot_rows = rows * kind.rows
    begin = np.floor(top + 0.5)
    end = np.maximum(np.ceil(bottom - 0.5), begin)  # so that neighbours meet, and do not overlap
    first = np.fmin(np.fmax(begin, 0), dot_rows).astype(np.intp)  # 0 where NaN
    stop = np.fmin(np.fmax(end + 1, 0), dot_rows).astype(np.intp)
    from_rows, to_rows = _rows_in_cells(rows, kind.rows)
    index = from_rows.take(first, axis=0)  # [dot columns, rows]
    index += to_rows.take(stop, axis=0)
    left, right = _filled_bits(kind.bits, pattern)
    bits: Bits = left.take(index[::DOT_COLUMNS])
    bits |= right.take(index[1::DOT_COLUMNS])
    return bits.T


@lru_cache(32)
def _rows_in_cells(rows: int, rows_of_cell: int) -> tuple[Indices, Indices]:
    """For each dot row, as a start and as an end: what of the index of `_filled_bits` it is in each cell."""
    dot_row = np.arange(rows * rows_of_cell + 1, dtype=np.int16)[:, None]
    within = np.clip(dot_row - rows_of_cell * np.arange(rows, dtype=np.int16), 0, rows_of_cell)
    return within * np.int16(rows_of_cell + 1), within


@lru_cache(16)
def _filled_bits(bits: tuple[tuple[int, int], ...], pattern: Pattern) -> tuple[Bits, Bits]:
    """For each column of a cell: the bits of the dots from one row up to another, by both in one index."""
    rows = len(bits)
    tables = np.zeros((DOT_COLUMNS, (rows + 1) ** 2), dtype=np.uint8)
    for column in range(DOT_COLUMNS):
        for first in range(rows + 1):
            for stop in range(rows + 1):
                drawn = (row for row in range(first, stop) if pattern[row][column])
                tables[column, first * (rows + 1) + stop] = sum(bits[row][column] for row in drawn)
    return tables[0], tables[1]
