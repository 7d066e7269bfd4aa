"""Order, search and columns of the table of runs."""

from dataclasses import replace

import pytest

from core.events import RunState
from core.runs import RunLabels, RunSummary, summarise
from sda_tui.summary_columns import SUMMARY_COLUMNS, fit_columns, matches, sort_runs
from tests.conftest import MakeRun
from tests.sda_tui.driving import an_epoch

COLUMNS = {column.head: column for column in SUMMARY_COLUMNS}


@pytest.fixture
def summary(make_run: MakeRun) -> RunSummary:
    return summarise(make_run("drums"))


def test_runs_without_a_value_come_last_in_either_order(summary: RunSummary) -> None:
    runs = [
        replace(summary, last_epoch=replace(an_epoch(1, 1, 0), best_validation_loss=loss), step=index)
        for index, loss in enumerate((0.3, None, -0.5, float("nan")))
    ]
    column = COLUMNS["Best loss"]
    assert [run.step for run in sort_runs(runs, column)] == [2, 0, 1, 3]
    assert [run.step for run in sort_runs(runs, column, is_reversed=True)] == [0, 2, 1, 3]


def test_the_first_order_by_age_has_the_newest_on_top(summary: RunSummary) -> None:
    runs = [replace(summary, modified_s=time_s) for time_s in (5.0, 9.0, 1.0)]
    assert [run.modified_s for run in sort_runs(runs, COLUMNS["Age"])] == [9.0, 5.0, 1.0]


def test_a_search_finds_name_dataset_preset_state_and_note(summary: RunSummary) -> None:
    run = replace(summary, labels=RunLabels(is_starred=True, note="Warm [snare]"), state=RunState.FAILED)
    for text in ("DRUM", "sounds", "balanced", "failed", "[snare]", "★", "drums warm", ""):
        assert matches(run, text), text
    for text in ("drums cold", "finished"):
        assert not matches(run, text), text
    assert matches(replace(run, queue_place=2), "queued 2")


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (200, set()),
        (110, {"Note", "Changed", "Preset"}),
        (80, {"Note", "Changed", "Preset", "Dataset", "Size"}),
        (1, set(COLUMNS) - {"★", "Run", "State"}),
    ],
)
def test_columns_are_left_out_by_their_rank(width: int, left_out: set[str]) -> None:
    needed = {
        "★": 1,
        "Run": 12,
        "State": 13,
        "Dataset": 20,
        "Note": 40,
        "Best loss": 12,
        "Size": 6,
        "RMSE": 6,
    }
    widths = [(column, needed.get(column.head, 8)) for column in SUMMARY_COLUMNS]
    kept = {column.head for column in fit_columns(widths, width)}
    assert set(COLUMNS) - kept == left_out
