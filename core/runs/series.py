"""A curve that grows as long as a run does, in bounded memory."""

CAPACITY = 512  # stretches, even; more than a chart has columns

Point = tuple[float, float]


class Series:
    """The lowest and the highest point of each of at most `CAPACITY` equally long stretches of a curve.

    So no spike is lost, and a curve of a million points costs no more to keep or to draw than one of some
    hundred.  Points come in order of x; every y is finite.
    """

    def __init__(self) -> None:
        self.newest: Point | None = None
        self._lowest: list[Point] = []
        self._highest: list[Point] = []
        self._stretch = 1  # points in each
        self._filled = 0  # points in the last one, unless it is full

    def __len__(self) -> int:
        """Number of stretches."""
        return len(self._lowest)

    def append(self, x: float, y: float) -> None:
        self.newest = (x, y)
        if self._filled == 0:
            if len(self._lowest) == CAPACITY:
                self._merge()
            self._lowest.append(self.newest)
            self._highest.append(self.newest)
        elif y < self._lowest[-1][1]:
            self._lowest[-1] = self.newest
        elif y > self._highest[-1][1]:
            self._highest[-1] = self.newest
        self._filled = (self._filled + 1) % self._stretch

    def points(self, columns: int) -> list[Point]:
        """At most two points for each of so many columns, in order of x, and the newest."""
        count, points = len(self._lowest), set[Point]()
        for column in range(min(columns, count)):
            stretch = slice(*(edge * count // min(columns, count) for edge in (column, column + 1)))
            points.add(min(self._lowest[stretch], key=_height))
            points.add(max(self._highest[stretch], key=_height))
        if self.newest is not None:
            points.add(self.newest)
        return sorted(points)

    def _merge(self) -> None:
        """Make every two stretches one."""
        pairs = range(0, CAPACITY, 2)
        self._lowest = [min(self._lowest[first : first + 2], key=_height) for first in pairs]
        self._highest = [max(self._highest[first : first + 2], key=_height) for first in pairs]
        self._stretch *= 2


def _height(point: Point) -> float:
    return point[1]
