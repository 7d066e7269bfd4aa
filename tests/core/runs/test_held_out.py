"""The error of each held-out file, and what runs say of a folder's files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.events import Metric
from core.runs import FILE_ERRORS, HeldOutErrors, RunDirectory, RunSummary, find_known_errors, summarise
from tests.conftest import MakeRun, scan_folder
from tests.sda_tui.driving import an_epoch, write_run
from tests.sounds import write_tone

Measured = Callable[..., RunSummary]


@pytest.fixture
def measured(make_run: MakeRun) -> Measured:
    """Makes runs whose four held-out files have these errors."""

    def make(name: str, *errors: float | None, folder: Path | None = None) -> RunSummary:
        run = make_run(name, folder) if folder else make_run(name)
        write_run(run, epoch_of(errors))
        return summarise(run)

    return make


def epoch_of(errors: Metric):
    return replace(an_epoch(1, 1, 0.1), metrics={FILE_ERRORS: errors})


def held_out(run: RunDirectory) -> tuple[str, ...]:
    return run.read_manifest().split.validation_paths


def test_the_files_with_the_largest_error_are_named_hardest_first(measured: Measured) -> None:
    summary = measured("run", 1.0, 4.0, 2.0, 2.0)
    first, second, *_ = held_out(summary.run)
    found = HeldOutErrors.of(summary.manifest, summary.last_epoch)
    assert found.hardest(3) == [(second, 2.0)]  # the others are not over the median
    assert found.relative[first] == 0.5
    summary = measured("other", 1.0, 2.0, 3.0, 4.0)
    *_, third, fourth = held_out(summary.run)
    found = HeldOutErrors.of(summary.manifest, summary.last_epoch)
    assert found.hardest(3) == [(fourth, 1.6), (third, 1.2)]
    assert found.hardest(1) == [(fourth, 1.6)]


@pytest.mark.parametrize(
    "errors", [(), (1.0,), (1.0, 2.0), (1.0, None, 2.0, None), (None,) * 4, (0.0, -1.0), 3.0, None]
)
def test_a_run_without_three_measured_files_names_none(measured: Measured, errors: Metric) -> None:
    manifest = measured("run").manifest
    assert HeldOutErrors.of(manifest, epoch_of(errors)).hardest(3) == []
    assert HeldOutErrors.of(manifest, None).hardest(3) == []
    assert HeldOutErrors.of(None, epoch_of((1.0, 2.0, 3.0))).hardest(3) == []


def test_training_sounds_that_are_validated_on_are_not_called_held_out(measured: Measured) -> None:
    manifest = measured("run").manifest
    assert manifest is not None
    repeated = replace(manifest, split=replace(manifest.split, method="none"))
    assert HeldOutErrors.of(repeated, epoch_of((1.0, 2.0, 3.0))).hardest(3) == []


def test_files_are_recognised_by_their_content_in_another_folder(
    measured: Measured, sounds: Path, tmp_path: Path
) -> None:
    summary = measured("run", 1.0, 4.0, 2.0, 2.0)
    _, hardest, *_ = held_out(summary.run)
    moved = tmp_path / "elsewhere"
    (moved / "sub").mkdir(parents=True)
    (moved / "sub" / "renamed.wav").write_bytes((sounds / hardest).read_bytes())
    write_tone(moved / "new.wav", 50.0, 1.0)
    known = find_known_errors([summary], scan_folder(moved).files)
    assert known.run == "run"
    assert known.relative == {"sub/renamed.wav": 2.0}


def test_the_newest_run_that_held_out_any_of_them_counts(
    measured: Measured, sounds: Path, tmp_path: Path
) -> None:
    (tmp_path / "others").mkdir()
    for index in range(8):
        write_tone(tmp_path / "others" / f"{index}.wav", 77.0 * (index + 1), 1.0)
    foreign = measured("foreign", 1.0, 1.0, 1.0, 9.0, folder=tmp_path / "others")
    unmeasured, newer, older = (
        measured("unmeasured"),
        measured("newer", 1.0, 1.0, 1.0, 3.0),
        measured("older", 5.0, 1.0, 1.0),
    )
    known = find_known_errors([foreign, unmeasured, newer, older], scan_folder(sounds).files)
    assert known.run == "newer"
    assert max(known.relative.values()) == 3.0
    assert find_known_errors([foreign], scan_folder(sounds).files).relative == {}
