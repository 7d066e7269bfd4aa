"""The overfitting warning, on curves of real runs; `tests/record_curves.py` says how they were recorded.

With hindsight, a run with four held-out files or more overfits if its validation loss ends higher than it was
at its lowest by more than twice its scatter, both smoothed over five epochs.  The right epoch is that of the
lowest loss in the whole curve; its smoothed lowest point is a second, less noisy witness.

The detector's constants were chosen on the seeds 1 to 6 (healthy: 1 and 2; noisy: 1, 2 and 5) of the
convolutional model; it saw the others and those of the PCA U-Net only afterwards.
"""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints.archive import read_checkpoint, serialise
from core.diagnostics.overfitting import GAP_LIMIT, OverfittingDetector, overfitting_gap, scatter
from core.events import Warned
from core.runs import RunDirectory
from core.text import describe_best
from tests.record_curves import CURVES, RECIPES
from tests.training import of, train

RECORDED = json.loads(CURVES.read_text())
Epoch = tuple[float, float]  # validation loss, gap


def read_curve(name: str) -> list[Epoch]:
    curve = RECORDED[name]
    gaps = map(overfitting_gap, curve["train_error"], curve["validation_error"])
    return list(zip(curve["validation_loss"], gaps, strict=True))


def watch_recorded(name: str) -> list[str]:
    return watch(read_curve(name), OverfittingDetector(RECORDED[name]["validation_files"]))


def watch(curve: list[Epoch], detector: OverfittingDetector | None = None, start: int = 0) -> list[str]:
    """The message after each epoch; those before `start` are known already."""
    detector = detector or OverfittingDetector(4)
    messages = []
    for epoch, (loss, gap) in list(enumerate(curve, 1))[start:]:
        detector.update(epoch, loss, gap)
        messages.append(detector.warning())
    return messages


def smoothed(curve: list[Epoch]) -> np.ndarray:
    losses = np.array([loss for loss, _ in curve])
    return np.array([losses[max(0, index - 2) : index + 3].mean() for index in range(len(losses))])


def ends_higher(curve: list[Epoch]) -> bool:
    smooth = smoothed(curve)
    return bool(smooth[-3] - smooth.min() > 2 * scatter([loss for loss, _ in curve]))


def names(kind: str) -> list[str]:
    return [name for name in RECIPES if name.startswith(kind)]


@pytest.mark.parametrize("name", names("overfitting"))
def test_overfitting_is_reported_in_time_with_the_right_epoch(name: str) -> None:
    curve = read_curve(name)
    assert ends_higher(curve)
    messages = watch_recorded(name)
    first = next(epoch for epoch, message in enumerate(messages, 1) if message)
    named = int(messages[first - 1].split("Best was epoch ")[1].split(".")[0])
    assert named == min(range(len(curve)), key=lambda index: curve[index][0]) + 1
    assert abs(named - (smoothed(curve).argmin() + 1)) <= 2
    assert named < first <= named + len(curve) / 3
    assert all(messages[first - 1 :]), "it stays true to the end"
    assert len(set(messages[first - 1 :])) <= 2, "a warning does not change with every epoch"


NOT_OVERFITTING = ("healthy", "improving", "flat", "noisy")


@pytest.mark.parametrize("name", [name for kind in NOT_OVERFITTING for name in names(kind)])
def test_healthy_and_noisy_runs_are_not_called_overfitting(name: str) -> None:
    assert not ends_higher(read_curve(name))
    assert not any(watch_recorded(name))


@pytest.mark.parametrize("name", names("tiny"))
def test_chance_with_few_held_out_sounds_is_not_called_overfitting(name: str) -> None:
    assert RECORDED[name]["validation_files"] < 4
    assert not any(watch_recorded(name))


@pytest.mark.parametrize("name", [*names("healthy"), *names("improving")])
def test_healthy_runs_have_a_wide_gap_all_the_same(name: str) -> None:
    assert min(gap for _, gap in read_curve(name)[-10:]) > 2 * GAP_LIMIT


@pytest.mark.parametrize("name", names("recovering"))
def test_recovering_run_is_reported_until_its_next_best(name: str) -> None:
    messages = watch_recorded(name)
    losses = [loss for loss, _ in read_curve(name)]
    first = next(epoch for epoch, message in enumerate(messages, 1) if message)
    best_before = min(losses[:first])
    recovered = next(epoch for epoch, loss in enumerate(losses, 1) if loss < best_before)
    assert all(messages[first - 1 : recovered - 1])
    assert not any(messages[recovered - 1 :])


@pytest.mark.parametrize("name", RECIPES)
def test_neither_the_unit_nor_the_zero_of_the_loss_matters(name: str) -> None:
    curve = read_curve(name)
    assert watch([(50 * loss - 7, gap) for loss, gap in curve]) == watch(curve)


@pytest.mark.parametrize("name", ["overfitting-1", "tiny-1"])
def test_detector_continues_from_its_state(name: str) -> None:
    curve = read_curve(name)
    whole = watch(curve)
    for done in range(0, len(curve), 7):
        before, after = OverfittingDetector(4), OverfittingDetector(4)
        watch(curve[:done], before)
        after.load_state_dict(before.state_dict())
        assert watch(curve, after, done) == whole[done:]


def test_state_does_not_grow_with_the_run() -> None:
    sizes = set()
    detector = OverfittingDetector(1)
    for epoch in range(1, 2001):
        detector.update(epoch, 1 / epoch, 0.3)
        if epoch in (200, 2000):
            state = detector.state_dict()
            sizes.add((len(state), len(state["losses"]), len(state["gaps"])))
    assert sizes == {(11, 200, 200)}


def test_resumed_run_repeats_the_warnings_that_are_active(
    uninterrupted: RunDirectory, tmp_path: Path
) -> None:
    run = RunDirectory(shutil.copytree(uninterrupted.path, tmp_path / "resumed"))
    newest = max(run.checkpoints.glob("step-*.pt"))
    state = read_checkpoint(newest)
    state["warnings"] = {"overfitting": "Held-out sounds get worse.", "blur": "Blurred."}
    newest.write_bytes(serialise({name: state[name] for name in state if name != "format_version"}))
    active = {each.kind: each.message for each in of(Warned, train(run))}
    active.pop("memorisation", None)  # of so few sounds new ones are near-copies, whatever was active before
    assert active == {"overfitting": "Held-out sounds get worse.", "blur": "Blurred."}


def test_resumed_run_judges_by_the_detector_in_its_checkpoint(
    uninterrupted: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of a run of two epochs is replaced by one that had overfitted, with a patience of one."""
    monkeypatch.setattr("core.diagnostics.overfitting.SHORTEST_PATIENCE", 1)
    run = RunDirectory(shutil.copytree(uninterrupted.path, tmp_path / "resumed"))
    newest = max(run.checkpoints.glob("step-*.pt"))
    state = read_checkpoint(newest)
    detector = OverfittingDetector(4)
    detector.update(1, -9.0, 0.3)
    detector.update(2, -5.0, 0.9)
    state["overfitting"] = detector.state_dict()
    newest.write_bytes(serialise({name: state[name] for name in state if name != "format_version"}))
    manifest = run.read_manifest().with_settings({"epochs": 3}, 0)
    run.write_manifest(manifest)
    monkeypatch.setattr("core.training.trainer.overfitting_gap", lambda *_: 1.5)
    (message,) = [each.message for each in of(Warned, train(run)) if each.kind == "overfitting"]
    assert "held-out ones get worse. Best was epoch 1." in message


FALL = [(3.0 - 0.2 * epoch, 0.3) for epoch in range(11)]
RISE = [(1.0 + 0.1 * epoch, 0.3 + 0.1 * epoch) for epoch in range(1, 10)]


def test_message_has_what_is_true_since_when_and_what_to_do() -> None:
    *_, last = watch(FALL + RISE)
    assert last == (
        "Overfitting: training sounds get better, held-out ones get worse. Best was epoch 11. "
        "More sounds, augmentation or dropout help; training continues until you stop it."
    )


def test_a_new_best_takes_it_back_and_the_next_epochs_do_not_bring_it_again() -> None:
    messages = watch([*FALL, *RISE, (0.9, 1.3), *[(1.5, 1.4)] * 4])
    assert messages[len(FALL + RISE) - 1]
    assert not any(messages[len(FALL + RISE) :])


def test_a_little_better_does_not_take_it_back() -> None:
    assert all(watch([*FALL, *RISE, (1.5, 1.2), (1.3, 1.2), (1.05, 1.2)])[-3:])


def test_one_uptick_is_not_reported() -> None:
    assert not any(watch([*FALL, (9.0, 4.0), *FALL[-6:], *FALL[-6:]]))


def test_stalling_for_long_while_the_gap_grows_is_reported() -> None:
    *_, last = watch([*FALL, *[(1.0 + 1e-3 * epoch, 0.3 + 0.1 * epoch) for epoch in range(1, 20)]])
    assert "held-out ones no longer do" in last
    assert not any(watch([*FALL, *[(1.0 + 1e-3 * epoch, 0.3) for epoch in range(1, 20)]]))


def test_getting_worse_on_both_sides_is_not_overfitting() -> None:
    assert not any(watch([*FALL, *[(loss, 0.3) for loss, _ in RISE]]))


def test_epochs_without_numbers_are_passed_over() -> None:
    holes = [(math.nan, math.nan), (1.0, math.nan), (math.inf, 0.3), (1.5, -1.0)]
    assert all(watch([*FALL, *RISE, *holes])[-len(holes) :])
    assert not any(watch([*holes] * 10))


def test_the_gap_is_relative_to_the_training_error() -> None:
    assert overfitting_gap(0.5, 0.6) == pytest.approx(0.2)
    assert overfitting_gap(0.5, 0.4) == pytest.approx(-0.2)
    assert overfitting_gap(0.0, 0.4) == 0.0


def test_scatter_is_the_deviation_of_the_noise_on_a_slope() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, 2000)
    assert scatter((noise + np.linspace(5, -5, 2000)).tolist()) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("best", "epoch", "sentence"),
    [
        (0, 3, ""),
        (7, 7, "Best is epoch 7, the newest."),
        (6, 7, "Best was epoch 6, 1 epoch ago."),
        (34, 46, "Best was epoch 34, 12 epochs ago."),
    ],
)  # fmt: skip
def test_best_epoch_is_described_with_its_age(best: int, epoch: int, sentence: str) -> None:
    assert describe_best(best, epoch) == sentence
