"""Runs beside each other."""

import json
import math
from dataclasses import replace

from core.config import SettingValue
from core.events import EpochFinished, PreviewKind, PreviewReady, to_json
from core.runs import PreviewKey, RunDirectory, compare_runs, find_rival, summarise
from tests.conftest import MakeRun

RECONSTRUCTION = PreviewKey(PreviewKind.RECONSTRUCTION, "reconstruction")


def an_epoch(number: int, loss: float | None, rmse: float = 1.0) -> EpochFinished:
    return EpochFinished(
        number, 9, number * 8, 0.1, loss, 0.5, rmse, 0.0, 0.1, 1, number, None, 1, 1, 1, metrics={}
    )


def a_preview(epoch: int, kind: PreviewKind = PreviewKind.RECONSTRUCTION, label: str = "") -> PreviewReady:
    path = f"previews/{epoch:04}-{label or kind}.wav"
    return PreviewReady(epoch, epoch * 8, kind, label or kind.value, path, 0.25, (0.5,))


def make(make_run: MakeRun, name: str, *losses: float | None, **settings: SettingValue) -> RunDirectory:
    run = make_run(name, **settings)
    events = [an_epoch(number, loss, 2.0 - number / 10) for number, loss in enumerate(losses, 1)]
    previews = [a_preview(number) for number in range(2, len(losses) + 1, 2)]
    lines = [to_json(event, 0.0) for event in (*events, *previews, a_preview(0, PreviewKind.ORIGINAL))]
    run.events.write_text("\n".join([*lines, "not a line"]) + "\n")
    return run


def test_the_same_preview_is_that_nearest_to_the_best_epoch_of_each(make_run: MakeRun) -> None:
    runs = make(make_run, "a", 3, 2, 1, 4, 5, 6), make(make_run, "b", 3, 2, 1.5, 1.2, math.nan, None)
    first, second = compare_runs([summarise(run) for run in runs]).runs
    assert (first.best.epoch, second.best.epoch) == (3, 4)  # type: ignore[union-attr]
    assert first.preview(RECONSTRUCTION).epoch == 2  # type: ignore[union-attr]
    assert second.preview(RECONSTRUCTION).epoch == 4  # type: ignore[union-attr]
    assert first.lowest_rmse.epoch == 6  # type: ignore[union-attr]
    assert first.preview(PreviewKey("sample", "sample 1")) is None
    assert [point.loss for point in second.points] == [3, 2, 1.5, 1.2, None, None]


def test_reconstructions_are_offered_before_the_original(make_run: MakeRun) -> None:
    run = make(make_run, "a", 3, 2)
    with run.events.open("a") as log:
        log.writelines(f"{to_json(a_preview(2, PreviewKind.SAMPLE, f'sample {n}'), 0.0)}\n" for n in (2, 1))
    labels = [key.label for key in compare_runs([summarise(run)]).previews]
    assert labels == ["reconstruction", "sample 1", "sample 2", "original"]


def test_what_can_be_compared_is_said(make_run: MakeRun) -> None:
    plain, seed = make(make_run, "a", 1.0), make(make_run, "b", 1.0, seed=3)
    weight, gain = make(make_run, "c", 1.0, kl_weight=2.0), make(make_run, "d", 1.0, reference_gain=1.0)
    alike, losses, scales = (
        compare_runs([summarise(plain), summarise(other)]) for other in (seed, weight, gain)
    )
    assert alike.are_losses_comparable
    assert alike.differences == {"seed": ("0", "3")}
    assert not losses.are_losses_comparable
    assert losses.remarks == ("The losses cannot be compared, the RMSE can: kl_weight differs.",)
    assert "by ear: reference_gain differs" in scales.remarks[0]


def test_the_sounds_that_not_all_runs_have_are_named(make_run: MakeRun) -> None:
    runs = [make(make_run, name, 1.0) for name in ("a", "b")]
    record = json.loads(runs[1].run_file.read_text())
    last = record["files"].pop()
    runs[1].run_file.write_text(json.dumps(record))
    count = len(record["files"])
    folder = runs[0].read_manifest().source_paths[0].name
    differences = compare_runs([summarise(run) for run in runs]).differences
    assert differences["sounds"] == (
        f"{count + 1} in {folder}; not in all: {last['path']}",
        f"{count} in {folder}",
    )


def test_a_run_that_is_gone_is_left_out_and_named(make_run: MakeRun) -> None:
    summaries = [summarise(make(make_run, name, 1.0)) for name in ("a", "b")]
    summaries[1].run.run_file.unlink()
    found = compare_runs(summaries)
    assert [run.name for run in found.runs] == ["a"]
    assert found.remarks[0].startswith("b is left out: Cannot read")


def test_a_rival_is_the_best_run_on_the_same_sounds(make_run: MakeRun) -> None:
    summaries = [summarise(make(make_run, name, 1.0)) for name in ("a", "b", "c")]
    best = replace(summaries[2], last_epoch=an_epoch(1, 1.0, 0.1))
    assert find_rival(summaries[0], [*summaries[:2], best]) == [best]
    assert find_rival(summaries[0], summaries[:1]) == []
