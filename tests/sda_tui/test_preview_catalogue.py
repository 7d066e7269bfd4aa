"""Which previews belong together, and what a filter lets pass."""

import pytest

from core.events import PreviewReady
from sda_tui.preview_catalogue import PreviewCatalogue, PreviewFilter
from tests.sda_tui.test_preview_list import epochs, preview


def test_filters_follow_each_other_and_let_pass_what_they_say() -> None:
    every = [preview(0, "original"), preview(0, "resynthesis"), *epochs(0, 5)]
    starred = {preview(0, "resynthesis").path, "previews/gone.wav"}
    shown, passed = PreviewFilter.ALL, []
    for _ in PreviewFilter:
        passed.append((shown.value, len(PreviewCatalogue(every).only(shown, starred))))
        shown = shown.following
    assert shown is PreviewFilter.ALL
    assert passed == [("all", 6), ("originals and reconstructions", 4), ("new sounds", 2), ("starred", 1)]


@pytest.mark.parametrize(
    ("epoch", "like", "expected"),
    [
        (6, preview(10, "sample", 1), (5, "sample")),
        (8, None, (10, "reconstruction")),
        (999, preview(0, "original"), (10, "reconstruction")),
        (0, preview(10), (0, "reconstruction")),
        (3, preview(10), (5, "reconstruction")),
    ],
)
def test_the_nearest_epoch_has_the_same_preview_where_there_is_one(
    epoch: int, like: PreviewReady | None, expected: tuple[int, str]
) -> None:
    found = PreviewCatalogue([preview(0, "original"), *epochs(0, 5, 10)]).nearest(epoch, like)
    assert found is not None
    assert (found.epoch, found.kind) == expected


def test_an_empty_list_has_nothing_to_go_to() -> None:
    catalogue = PreviewCatalogue()
    assert catalogue.newest() is None
    assert catalogue.nearest(5, None) is None
    assert catalogue.rows(True) == []
    assert catalogue.through_epochs(preview(5)) == []


def test_all_epochs_of_a_preview_are_in_their_order_though_the_best_came_last() -> None:
    catalogue = PreviewCatalogue([*epochs(0, 5, 10), *epochs(7)])
    assert [each.epoch for each in catalogue.through_epochs(preview(10))] == [0, 5, 7, 10]
    assert catalogue.earlier(preview(10)) == preview(7)
    assert catalogue.newest() == preview(10)
    assert [row for row in catalogue.rows(True) if isinstance(row, int)] == [10, 7, 5, 0]
