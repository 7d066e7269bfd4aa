"""How many charts are side by side, and which."""

import pytest

from sda_tui.widgets.run_charts import CHART_NAMES, grid_size, page_of


@pytest.mark.parametrize(
    ("width", "height", "count", "expected"),
    [
        (118, 27, 10, (3, 3)), (118, 27, 4, (2, 2)), (118, 27, 1, (1, 1)), (58, 8, 10, (1, 1)),
        (78, 14, 10, (2, 1)), (198, 50, 10, (5, 2)), (10, 3, 10, (1, 1)), (74, 18, 10, (2, 2)),
    ],
)  # fmt: skip
def test_charts_fill_the_room_and_none_is_too_small(
    width: int, height: int, count: int, expected: tuple[int, int]
) -> None:
    assert grid_size(width, height, count) == expected


def test_every_chart_is_on_one_page_and_the_page_follows_the_selected_one() -> None:
    names = tuple(CHART_NAMES)
    pages = {page_of(names, name, 4) for name in names}
    assert sorted(name for page in pages for name in page) == sorted(names)
    assert all(name in page_of(names, name, 4) for name in names)
