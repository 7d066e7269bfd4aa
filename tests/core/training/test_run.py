"""Whole runs: finished, cancelled anywhere, resumed."""

import json
import os
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
import torch

from core.checkpoints.archive import read_checkpoint
from core.events import (
    CheckpointSaved,
    EpochFinished,
    LoadProgress,
    PreviewReady,
    RunEvent,
    RunState,
    StateChanged,
    StepFinished,
    Warned,
)
from core.model.reconstruction import reconstruct
from core.runs import RunDirectory, summarise
from core.training import vae_task
from core.training.control import Control
from tests.conftest import MakeRun
from tests.training import assert_same_outcome, cancel_when, end, newest_state, of, train, train_to, weights


def test_finished_run_leaves_everything_that_it_should(make_run: MakeRun) -> None:
    run = make_run(epochs=3)
    events = train(run)
    assert [each.state for each in of(StateChanged, events)] == ["loading", "training", "finished"]
    assert [each.device for each in of(StateChanged, events)] == ["", "cpu", ""]
    manifest = run.read_manifest()
    assert [each.step for each in of(StepFinished, events)] == list(range(1, manifest.total_steps + 1))
    assert [each.epoch for each in of(EpochFinished, events)] == [1, 2, 3]
    assert {each.path for each in of(PreviewReady, events)} == {
        "previews/original.wav",
        "previews/resynthesis.wav",
        *(
            f"previews/epoch-{epoch:04}-{kind}.wav"
            for epoch in range(4)
            for kind in ("reconstruction", "sample-1")
        ),
    }
    for path in run.previews.glob("*.wav"):
        samples, sample_rate = soundfile.read(path)
        assert sample_rate == 48_000
        assert 0.1 < np.abs(samples).max() <= 1
    steps = manifest.steps_per_epoch
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "best.pt", *(f"step-{epoch * steps:09}.pt" for epoch in (1, 2, 3)),
    ]  # fmt: skip
    assert summarise(run).state is RunState.FINISHED
    log = run.log.read_text()
    assert f"INFO core.training.run: process {os.getpid()}\n" in log
    assert "training on cpu from step 0" in log


def test_step_and_epoch_events_hold_what_they_promise(make_run: MakeRun) -> None:
    events = train(make_run(epochs=4, kl_warmup_fraction=0.5))
    for each in of(StepFinished, events):
        assert each.train_loss == pytest.approx(
            each.metrics["reconstruction_loss"] + each.metrics["kl_weight"] * each.metrics["kl_loss"],
            abs=1e-5,
        )
        assert each.gradient_norm > 0
        assert each.step_time_s > 0
    *_, last = of(EpochFinished, events)
    assert last.overfitting_gap == pytest.approx(
        (last.validation_error - last.train_error) / last.train_error, abs=1e-5
    )
    assert len({each.untrained_error for each in of(EpochFinished, events)}) == 1
    assert last.quality == pytest.approx(1 - (last.validation_error / last.untrained_error) ** 2, abs=1e-5)
    per_file = last.metrics["validation_error_per_file"]
    assert len(per_file) == 4  # of one second each, so all have as many chunks
    assert last.validation_error**2 == pytest.approx(sum(each**2 for each in per_file) / 4, rel=1e-4)
    assert last.validation_loss == pytest.approx(
        last.metrics["validation_reconstruction_loss"] + last.metrics["validation_kl_loss"], abs=1e-5
    )
    assert last.metrics["kl_divergence"] == pytest.approx(sum(last.metrics["kl_per_dimension"]), abs=1e-3)
    assert last.metrics["latent_dimensions"] == len(last.metrics["kl_per_dimension"]) == 4
    assert 0 < last.memory_used_bytes <= last.memory_peak_bytes < last.memory_total_bytes
    assert last.device.startswith("CPU, ")
    assert last.eta_s == 0
    best = min(of(EpochFinished, events), key=lambda each: each.validation_loss)
    assert (last.best_epoch, last.best_validation_loss) == (best.epoch, best.validation_loss)


@pytest.mark.parametrize(
    ("model", "fall", "ratio"),
    [("convolutional", 0.2, 0.8), ("pca_unet", 0.1, 0.9)],  # the PCA U-Net begins with a small error
)
def test_training_lowers_the_loss(make_run: MakeRun, model: str, fall: float, ratio: float) -> None:
    run = make_run(
        model=model, epochs=6, augmentation_expansion=4, preview_interval=100, checkpoint_interval=100
    )
    epochs = of(EpochFinished, train(run))
    assert epochs[-1].train_loss < epochs[0].train_loss - fall
    assert epochs[-1].train_error < ratio * epochs[0].train_error


def test_in_bfloat16_it_learns_the_same_and_keeps_float32(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.vae_task.has_bfloat16", lambda _: False)
    exact = train(make_run("float32", epochs=1))
    monkeypatch.setattr("core.training.vae_task.has_bfloat16", lambda _: True)
    run = make_run("bfloat16", epochs=1)
    rounded = train(run)
    assert all(weight.dtype == torch.float32 for weight in weights(run).values())
    for theirs, ours in zip(of(StepFinished, exact), of(StepFinished, rounded), strict=True):
        assert ours.train_loss != theirs.train_loss
        assert ours.train_loss == pytest.approx(theirs.train_loss, abs=0.02)


def is_step(step: int) -> Callable[[RunEvent], bool]:
    return lambda event: isinstance(event, StepFinished) and event.step == step


@pytest.mark.parametrize(
    "conditions",
    [
        {
            "loading": lambda event: isinstance(event, LoadProgress),
            "before the first step": lambda event: getattr(event, "state", "") == "training",
            "within an epoch": is_step(5),
            "before validating": is_step(8),
            "before previewing": lambda event: isinstance(event, EpochFinished) and event.epoch == 2,
        },
        {"after the first previews": lambda event: isinstance(event, PreviewReady)},
        {"after saving": lambda event: isinstance(event, CheckpointSaved) and event.reason == "interval"},
        {"after previews": lambda event: isinstance(event, PreviewReady) and event.epoch == 1},
    ],
    ids=", ".join,
)
def test_run_cancelled_in_any_phase_resumes_to_the_same_end(
    make_run: MakeRun, uninterrupted: RunDirectory, conditions: dict[str, Callable[[RunEvent], bool]]
) -> None:
    """The phases that always come in this order in one run; those of other threads in a run each."""
    run = make_run("cancelled")
    for phase, condition in conditions.items():
        control = Control(run.requests)
        events = train(run, cancel_when(control, condition), control)
        assert end(events).state == "cancelled", phase
        if phase != "loading":
            step = end(events).step
            assert (run.checkpoints / f"step-{step:09}.pt").exists(), phase
            assert step == of(StepFinished, events)[-1].step if of(StepFinished, events) else step == 0
    assert end(train(run)).state == "finished"
    assert_same_outcome(run, uninterrupted)


class Killed(BaseException):
    """Stands for the death of the process: nothing catches it and nothing is saved."""


def test_a_killed_run_repeats_what_was_not_saved(make_run: MakeRun, uninterrupted: RunDirectory) -> None:
    run = make_run("killed")

    def kill(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 11:
            raise Killed

    with pytest.raises(Killed):
        train(run, kill)
    assert summarise(run).state is RunState.INTERRUPTED
    events = train(run)
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 17))
    assert_same_outcome(run, uninterrupted)


def test_previews_saves_and_validation_do_not_change_the_outcome(make_run: MakeRun) -> None:
    plain = make_run("plain", epochs=1, preview_interval=100, checkpoint_interval=100)
    busy = make_run("busy", epochs=1, preview_samples=2, preview_inversion="best")
    control = Control(busy.requests)
    train(plain)
    train(busy, lambda event: control.save() if isinstance(event, StepFinished) else None, control)
    expected = weights(plain)
    assert all(torch.equal(value, expected[name]) for name, value in weights(busy).items())
    untrained = "epoch-0000-reconstruction.wav"
    assert (busy.previews / untrained).read_bytes() != (plain.previews / untrained).read_bytes()


def test_a_preview_uses_what_validation_has_just_computed(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    monkeypatch.setattr(
        vae_task, "reconstruct", lambda *arguments: passes.append(1) or reconstruct(*arguments)
    )
    events = train(make_run())
    assert len({each.epoch for each in of(PreviewReady, events)}) == 3  # the untrained model's too
    assert len(passes) == 2 * 3  # both sides, once for each


def test_cancel_within_an_epoch_does_not_run_the_network_for_its_checkpoint(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latents in it are those of the last validation."""
    run = make_run(epochs=3)
    passes: list[int] = []
    monkeypatch.setattr(
        vae_task, "reconstruct", lambda *arguments: passes.append(1) or reconstruct(*arguments)
    )
    train_to(run, 12)
    assert len(passes) == 2 * 2  # both sides, before the first step and after the first epoch
    means = newest_state(run)["task"]["latents"]["means"]
    assert torch.equal(
        means, read_checkpoint(run.checkpoints / "step-000000008.pt")["task"]["latents"]["means"]
    )


def test_a_run_is_extended_with_more_epochs(make_run: MakeRun) -> None:
    run = make_run(epochs=1)
    train(run)
    run.write_manifest(summarise(run).continued({"epochs": 3}))
    events = train(run)
    assert [each.epoch for each in of(EpochFinished, events)] == [1, 2, 3]
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 25))


def test_other_sizes_train_stop_and_resume_exactly(make_run: MakeRun) -> None:
    whole, stopped = (make_run(name, epochs=1, mel_bands=64, width=8) for name in ("whole", "stopped"))
    train(whole)
    train_to(stopped, 3)
    assert stopped.read_manifest().spectrogram.n_mels == 64
    train(stopped)
    assert_same_outcome(stopped, whole)


def test_damaged_newest_checkpoint_is_named_and_the_one_before_taken(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    run = make_run("damaged")
    control = Control(run.requests)
    train(
        run, cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == 13), control
    )
    newest = run.checkpoints / "step-000000013.pt"
    newest.write_bytes(newest.read_bytes()[:-1000])
    events = train(run)
    assert any("step-000000013.pt is damaged" in each.message for each in of(Warned, events))
    assert any("Continuing from step-000000008.pt" in each.message for each in of(Warned, events))
    assert_same_outcome(run, uninterrupted)


def test_a_run_without_any_whole_checkpoint_does_not_start_over(make_run: MakeRun) -> None:
    run = make_run()
    train_to(run, 3)
    for path in run.checkpoints.iterdir():
        path.write_bytes(b"no checkpoint")
    last = end(train(run))
    assert last.state == "failed"
    assert "No checkpoint can be used" in last.message
    for path in run.checkpoints.iterdir():
        path.unlink()
    assert "checkpoints of run are gone" in end(train(run)).message


def test_checkpoint_of_another_model_is_refused(make_run: MakeRun) -> None:
    small, large = make_run("small"), make_run("large", latent_dim=8)
    train(small)
    for path in small.checkpoints.glob("step-*.pt"):
        (large.checkpoints / path.name).write_bytes(path.read_bytes())
    last = end(train(large))
    assert last.state == "failed"
    assert "does not fit the model of this run" in last.message


def test_the_log_is_strict_json(make_run: MakeRun) -> None:
    run = make_run(epochs=1)
    train(run)
    for line in run.events.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
