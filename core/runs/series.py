"""A curve that grows as long as a run does, in bounded memory."""

import math
from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

CAPACITY = 4096  # stretches, even; so many that a chart can be enlarged some twenty times
LARGEST = 1e100  # what is larger counts as not finite: sums and ranges of numbers up to here can be computed

Point = tuple[float, float]


class Columns(NamedTuple):
    """The stretches of a series, in order of x, a number of each.

    Where all values of a stretch were not finite, `finite` is 0 and `lowest` and `highest` are NaN.
    """

    first_x: "Floats"
    last_x: "Floats"
    lowest: "Floats"
    highest: "Floats"
    total: "Floats"  # of the finite values; divided by how many those are, the mean
    finite: "Floats"  # how many values were
    gaps: "Floats"  # how many were not


class Series:
    """Lowest, highest and mean value of each of at most `CAPACITY` equally long stretches of a curve.

    So no spike is lost, and a curve of a million points costs no more to keep or to draw than one of some
    thousand.  Points come in order of x; one that goes back removes what was there from its x on, as the run
    went back too.  A value that is not finite, or None, is kept as a gap.
    """

    def __init__(self) -> None:
        self.newest: Point | None = None  # that is finite
        self.revision = 0  # another one when anything changed
        self._first_x, self._last_x = array("d"), array("d")
        self._lowest, self._highest = array("d"), array("d")
        self._lowest_x, self._highest_x = array("d"), array("d")
        self._total, self._count, self._gaps = array("d"), array("d"), array("d")
        self._stretch = 1  # points in each
        self._filled = 0  # points in the last one, unless it is full
        self._columns: tuple[int, Columns] | None = None  # and of which revision

    def __len__(self) -> int:
        """Number of stretches."""
        return len(self._first_x)

    def append(self, x: float, y: float | None) -> None:
        self.revision += 1
        if self._last_x and x <= self._last_x[-1]:
            self._go_back(x)
        if self._filled == 0:
            self._open(x)
        self._last_x[-1] = x
        self._filled = (self._filled + 1) % self._stretch
        if y is None or not -LARGEST <= y <= LARGEST:
            self._gaps[-1] += 1
            return
        self.newest = (x, y)
        self._total[-1] += y
        self._count[-1] += 1
        if not y >= self._lowest[-1]:  # which is NaN at first
            self._lowest[-1], self._lowest_x[-1] = y, x
        if not y <= self._highest[-1]:
            self._highest[-1], self._highest_x[-1] = y, x

    def points(self, columns: int) -> list[Point]:
        """At most two points for each of so many columns, in order of x, and the newest."""
        finite = [index for index, count in enumerate(self._count) if count]
        count, points = len(finite), set[Point]()
        for column in range(min(columns, count)):
            first, last = (edge * count // min(columns, count) for edge in (column, column + 1))
            low = min(finite[first:last], key=self._lowest.__getitem__)
            high = max(finite[first:last], key=self._highest.__getitem__)
            points.add((self._lowest_x[low], self._lowest[low]))
            points.add((self._highest_x[high], self._highest[high]))
        if self.newest is not None:
            points.add(self.newest)
        return sorted(points)

    def columns(self) -> Columns:
        """All stretches as arrays, which are made once for a revision and must not be changed."""
        if self._columns is None or self._columns[0] != self.revision:
            import numpy as np  # here, as runs are listed without it

            columns = Columns(
                np.array(self._first_x),
                np.array(self._last_x),
                np.array(self._lowest),
                np.array(self._highest),
                np.array(self._total),
                np.array(self._count),
                np.array(self._gaps),
            )
            self._columns = (self.revision, columns)
        return self._columns[1]

    def _arrays(self) -> "tuple[array[float], ...]":
        ends = (self._first_x, self._last_x)
        extremes = (self._lowest, self._lowest_x, self._highest, self._highest_x)
        return (*ends, *extremes, self._total, self._count, self._gaps)

    def _open(self, x: float) -> None:
        """Begin another stretch; where there are too many, make every two of them one."""
        if len(self._first_x) == CAPACITY:
            self._merge()
        for each in (self._first_x, self._last_x, self._lowest_x, self._highest_x):
            each.append(x)
        for each in (self._lowest, self._highest):
            each.append(math.nan)
        for each in (self._total, self._count, self._gaps):
            each.append(0.0)

    def _merge(self) -> None:
        pairs = range(0, CAPACITY, 2)
        for values, positions, sign in (
            (self._lowest, self._lowest_x, -1),
            (self._highest, self._highest_x, 1),
        ):
            chosen = [_chosen(values, first, sign) for first in pairs]
            values[:] = array("d", [values[index] for index in chosen])
            positions[:] = array("d", [positions[index] for index in chosen])
        for sums in (self._total, self._count, self._gaps):
            sums[:] = array("d", [sums[first] + sums[first + 1] for first in pairs])
        self._first_x = self._first_x[::2]
        self._last_x = self._last_x[1::2]
        self._stretch *= 2

    def _go_back(self, x: float) -> None:
        """Remove the stretches that begin at x or later; one that began before stays, up to x."""
        while self._first_x and self._first_x[-1] >= x:
            for each in self._arrays():
                each.pop()
        if self._last_x:
            self._last_x[-1] = min(self._last_x[-1], x)
        self._filled = 0
        if self.newest is not None and self.newest[0] >= x:
            self.newest = None


def _chosen(values: "array[float]", first: int, sign: int) -> int:
    """Which of this and the next is lower, with sign −1, or higher, with 1; NaN is neither."""
    is_second = math.isnan(values[first]) or sign * values[first + 1] > sign * values[first]
    return first + is_second
