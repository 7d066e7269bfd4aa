"""Whole runs on real sounds: finished, cancelled anywhere, continued, broken and mended."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.config import PRESETS
from core.errors import RunError
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
from core.model import losses as losses_module
from core.model.vae import VAE
from core.run import RunDirectory, RunHistory
from core.runs import summarise
from core.training.checkpoint import read_checkpoint
from core.training.control import Control
from core.training.job import train_run
from tests.conftest import MakeRun, file_size_limit
from tests.outcome import assert_same_outcome, logged, newest_state, of
from tests.sounds import write_tone

Listener = Callable[[RunEvent], None]


def train(
    run: RunDirectory, listener: Listener = lambda _: None, control: Control | None = None
) -> list[RunEvent]:
    """Train to the end or until the listener cancels; what the log holds then."""
    train_run(run, "cpu", control or Control(run.requests), listener)
    return logged(run)


def end(events: list[RunEvent]) -> StateChanged:
    (*_, last) = of(StateChanged, events)
    assert events[-1] is last
    return last


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    return newest_state(run)["model"]


def test_a_run_leaves_everything_that_it_should(make_run: MakeRun) -> None:
    run = make_run(epochs=3)
    events = train(run)
    assert [each.state for each in of(StateChanged, events)] == ["loading", "training", "finished"]
    manifest = run.read_manifest()
    assert [each.step for each in of(StepFinished, events)] == list(range(1, manifest.total_steps + 1))
    assert [each.epoch for each in of(EpochFinished, events)] == [1, 2, 3]
    assert {each.path for each in of(PreviewReady, events)} == {
        "previews/original.wav",
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
    assert "training on cpu from step 0" in run.log.read_text()


def test_step_and_epoch_events_hold_what_they_promise(make_run: MakeRun) -> None:
    events = train(make_run(epochs=4, kl_warmup_fraction=0.5))
    for each in of(StepFinished, events):
        assert each.train_loss == pytest.approx(
            each.reconstruction_loss + each.kl_weight * each.kl_loss, abs=1e-5
        )
        assert each.gradient_norm > 0
        assert each.step_time_s > 0
    *_, last = of(EpochFinished, events)
    assert last.overfitting_gap == pytest.approx(
        (last.validation_error - last.train_error) / last.train_error, abs=1e-5
    )
    assert last.quality == pytest.approx(min(1, max(0, 1 - last.overfitting_gap)), abs=1e-5)
    assert last.validation_loss == pytest.approx(
        last.validation_reconstruction_loss + last.validation_kl_loss, abs=1e-5
    )
    assert last.kl_divergence == pytest.approx(sum(last.kl_per_dimension), abs=1e-3)
    assert last.latent_dimensions == len(last.kl_per_dimension) == 4
    assert 0 < last.memory_used_bytes <= last.memory_peak_bytes < last.memory_total_bytes
    assert last.eta_s == 0
    best = min(of(EpochFinished, events), key=lambda each: each.validation_loss)
    assert (last.best_epoch, last.best_validation_loss) == (best.epoch, best.validation_loss)


def test_best_is_the_checkpoint_of_the_best_epoch(make_run: MakeRun) -> None:
    run = make_run(epochs=5, learning_rate=0.02)
    *_, last = of(EpochFinished, train(run))
    best = read_checkpoint(run.checkpoints / "best.pt")
    assert best["epoch"] == last.best_epoch
    assert best["progress"]["best_loss"] == pytest.approx(last.best_validation_loss, abs=1e-5)


def test_training_lowers_the_loss(make_run: MakeRun) -> None:
    run = make_run(epochs=6, augmentation_expansion=4, preview_interval=100, checkpoint_interval=100)
    epochs = of(EpochFinished, train(run))
    assert epochs[-1].train_loss < epochs[0].train_loss - 0.2
    assert epochs[-1].train_error < 0.8 * epochs[0].train_error


def cancel_when(control: Control, condition: Callable[[RunEvent], bool]) -> Listener:
    def listen(event: RunEvent) -> None:
        if condition(event):
            control.cancel()

    return listen


def train_to(run: RunDirectory, step: int) -> list[RunEvent]:
    """Train until this step is done, then cancel."""
    control = Control(run.requests)
    return train(
        run,
        cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == step),
        control,
    )


@pytest.mark.parametrize(
    ("phase", "condition"),
    [
        ("loading", lambda event: isinstance(event, LoadProgress)),
        ("before the first step", lambda event: isinstance(event, PreviewReady)),
        ("training", lambda event: isinstance(event, StepFinished) and event.step == 5),
        ("before validating", lambda event: isinstance(event, StepFinished) and event.step == 8),
        ("before previewing", lambda event: isinstance(event, EpochFinished) and event.epoch == 2),
        ("previewing", lambda event: isinstance(event, PreviewReady) and event.epoch == 2),
        ("after saving", lambda event: isinstance(event, CheckpointSaved) and event.reason == "interval"),
    ],
)  # fmt: skip
def test_a_run_cancelled_in_any_phase_goes_on_to_the_same_end(
    make_run: MakeRun, phase: str, condition: Callable[[RunEvent], bool]
) -> None:
    uninterrupted = make_run("whole")
    assert uninterrupted.read_manifest().steps_per_epoch == 8
    train(uninterrupted)
    run = make_run("cancelled")
    control = Control(run.requests)
    seen: list[RunEvent] = []
    stop = cancel_when(control, condition)
    events = train(run, lambda event: (seen.append(event), stop(event))[0], control)
    assert end(events).state == "cancelled"
    if phase != "loading":
        step = end(events).step
        assert (run.checkpoints / f"step-{step:09}.pt").exists()
        assert step == of(StepFinished, events)[-1].step if of(StepFinished, events) else step == 0
    assert end(train(run)).state == "finished"
    assert_same_outcome(run, uninterrupted)


def test_many_cancels_and_resumes_leave_no_gap_and_no_step_twice(make_run: MakeRun) -> None:
    uninterrupted, run = make_run("whole", epochs=3), make_run("stopped", epochs=3)
    train(uninterrupted)
    for stop_at in (1, 2, 3, 5, 7, 8, 11, 16, 17, 23):
        train_to(run, stop_at)
    train(run)
    assert [each.step for each in of(StepFinished, logged(run))] == list(range(1, 25))
    assert [each.epoch for each in of(EpochFinished, logged(run))] == [1, 2, 3]
    assert [each.eta_s > 0 for each in of(EpochFinished, logged(run))] == [True, True, False]
    assert_same_outcome(run, uninterrupted)


class Killed(BaseException):
    """Stands for the death of the process: nothing catches it and nothing is saved."""


@pytest.mark.parametrize("kill_at", [3, 8, 11])
def test_a_killed_run_repeats_what_was_not_saved(make_run: MakeRun, kill_at: int) -> None:
    uninterrupted, run = make_run("whole"), make_run("killed")
    train(uninterrupted)

    def kill(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == kill_at:
            raise Killed

    with pytest.raises(Killed):
        train(run, kill)
    assert summarise(run).state is RunState.INTERRUPTED
    events = train(run)
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 17))
    assert_same_outcome(run, uninterrupted)


def test_previews_saves_and_validation_do_not_change_the_outcome(make_run: MakeRun) -> None:
    plain = make_run("plain", preview_interval=100, checkpoint_interval=100)
    busy = make_run("busy", preview_interval=1, preview_samples=3, checkpoint_interval=1)
    control = Control(busy.requests)
    train(plain)
    train(busy, lambda event: control.save() if isinstance(event, StepFinished) else None, control)
    expected = weights(plain)
    assert all(torch.equal(value, expected[name]) for name, value in weights(busy).items())


def test_a_checkpoint_saved_by_hand_is_of_that_step_and_stays(make_run: MakeRun) -> None:
    run = make_run(epochs=8, checkpoint_interval=1)
    control = Control(run.requests)

    def save(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 3:
            control.save()

    events = train(run, save, control)
    assert read_checkpoint(run.checkpoints / "step-000000003-saved.pt")["step"] == 3
    assert [each.reason for each in of(CheckpointSaved, events)].count("manual") == 1


def test_a_run_is_extended_with_more_epochs(make_run: MakeRun) -> None:
    run = make_run(epochs=1)
    train(run)
    run.write_manifest(summarise(run).continued({"epochs": 3}))
    events = train(run)
    assert [each.epoch for each in of(EpochFinished, events)] == [1, 2, 3]
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 25))


def test_a_damaged_newest_checkpoint_is_told_and_the_one_before_taken(make_run: MakeRun) -> None:
    uninterrupted, run = make_run("whole"), make_run("damaged")
    control = Control(run.requests)
    train(uninterrupted)
    train(
        run, cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == 13), control
    )
    newest = run.checkpoints / "step-000000013.pt"
    newest.write_bytes(newest.read_bytes()[:-1000])
    events = train(run)
    assert any("step-000000013.pt is damaged" in each.message for each in of(Warned, events))
    assert any("Going on from step-000000008.pt" in each.message for each in of(Warned, events))
    assert_same_outcome(run, uninterrupted)


def test_damaged_checkpoints_do_not_take_the_place_of_good_ones(make_run: MakeRun) -> None:
    run = make_run(epochs=5)
    train(run)
    kept = sorted(run.checkpoints.glob("step-*.pt"))
    assert [path.name for path in kept] == [f"step-{step:09}.pt" for step in (24, 32, 40)]
    for path in kept[1:]:
        path.write_bytes(b"damaged")
    events = train_to(run, 27)
    assert "step-000000040.pt is damaged" in of(Warned, events)[-1].message
    assert {path.name for path in run.checkpoints.iterdir()} >= {
        "step-000000024.pt",
        "step-000000027.pt",
        "step-000000032.damaged",
        "step-000000040.damaged",
    }


def test_a_setting_changed_on_the_way_takes_effect(make_run: MakeRun) -> None:
    """Weight decay, which the optimiser keeps among its own state."""
    run, same = make_run("changed"), make_run("same")
    for each in (run, same):
        train_to(each, 8)
    run.change(run.read_manifest().with_settings({"weight_decay": 0.5}, 8))
    for each in (run, same):
        train(each)
    assert any(not torch.equal(mine, weights(same)[name]) for name, mine in weights(run).items())


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


def test_a_checkpoint_of_another_model_is_told(make_run: MakeRun) -> None:
    small, large = make_run("small"), make_run("large", latent_dim=8)
    train(small)
    for path in small.checkpoints.glob("step-*.pt"):
        (large.checkpoints / path.name).write_bytes(path.read_bytes())
    last = end(train(large))
    assert last.state == "failed"
    assert "does not fit the model of this run" in last.message


def poison(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[int], bool]) -> None:
    """Make the loss of some steps not a number, as the n-th call since the start."""
    calls = 0
    real = losses_module.losses

    def losses(kind: str, squared_error: torch.Tensor, *rest: object) -> losses_module.Losses:
        nonlocal calls
        calls += 1
        return real(kind, squared_error * (float("nan") if is_bad(calls) else 1.0), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("core.training.trainer.losses", losses)


def test_a_step_that_is_not_finite_is_skipped_counted_and_told(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: call in (3, 4, 9))
    run = make_run()
    events = train(run)
    assert end(events).state == "finished"
    assert [each.step for each in of(StepFinished, events) if each.train_loss is None] == [3, 4, 9]
    assert of(Warned, events)[-1].message.startswith("3 steps skipped: the loss was not a finite number")
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_ten_bad_steps_in_a_row_go_back_with_half_the_learning_rate(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: 17 <= call <= 26)  # steps 17 to 26; then the run is back at step 16
    settings = {"epochs": 4, "checkpoint_interval": 2}
    run, plain = make_run("bad", **settings), make_run("plain", **settings)
    events = train(run)
    assert end(events).state == "finished"
    steps = of(StepFinished, events)
    assert [each.step for each in steps] == list(range(1, 33))
    assert all(each.train_loss is not None for each in steps)
    assert any(
        "back at step 16, with 0.5 times the learning rate" in each.message for each in of(Warned, events)
    )
    expected = {each.step: each.learning_rate for each in of(StepFinished, train(plain))}
    assert steps[15].learning_rate == expected[16]
    assert steps[16].learning_rate == pytest.approx(expected[17] / 2)


def test_a_loss_that_stays_bad_ends_the_run_with_its_state_saved(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: call > 4)
    run = make_run(epochs=6)
    last = end(train(run))
    assert last.state == "failed"
    assert "after 3 returns to a good checkpoint" in last.message
    assert "smaller learning_rate" in last.message
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_lack_of_memory_halves_the_batch_and_goes_on(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = VAE.forward

    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor):
        if len(log_mel) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, log_mel, noise)

    monkeypatch.setattr(VAE, "forward", forward)
    run = make_run(batch_size=4)
    events = train(run)
    assert end(events).state == "finished"
    assert "batches now have 1 chunks, not 2" in of(Warned, events)[-1].message
    assert [each.step for each in of(StepFinished, events)] == list(
        range(1, run.read_manifest().total_steps + 1)
    )


def test_lack_of_memory_for_one_chunk_ends_the_run_with_advice(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(VAE, "forward", forward)
    last = end(train(make_run()))
    assert last.state == "failed"
    assert "one chunk of 0.25 s with 4 latent dimensions; choose a smaller chunk_duration_s" in last.message


def test_a_full_disk_is_told_and_training_goes_on(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from core import atomic

    def full(path: Path, data: bytes) -> None:
        if path.name == "step-000000008.pt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        atomic.write_atomically(path, data)

    monkeypatch.setattr("core.training.checkpoint.write_atomically", full)
    run = make_run()
    events = train(run)
    told = [each.message for each in of(Warned, events) if each.kind == "disk"]
    assert "step 8 could not be written" in told[0]
    assert "No space left on device" in told[0]
    assert told[-1] == ""
    assert (run.checkpoints / "step-000000016.pt").exists()


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_that_time(make_run: MakeRun) -> None:
    """Neither log nor checkpoints can be written from step 10 to step 30 of 48."""
    uninterrupted, run = make_run("whole", epochs=6), make_run("full", epochs=6)
    train(uninterrupted)
    heard: list[RunEvent] = []
    seen_while_full: list[int] = []
    with contextlib.ExitStack() as full:

        def listen(event: RunEvent) -> None:
            heard.append(event)
            if isinstance(event, StepFinished) and event.step == 10:
                full.enter_context(file_size_limit(run.events.stat().st_size + 700))
            if isinstance(event, StepFinished) and event.step == 30:
                seen_while_full.append(summarise(run).step)
                assert newest_state(run)["step"] == 8
                full.close()

        train(run, listen)
    assert seen_while_full[0] < 16
    told = {(each.kind, bool(each.message)) for each in of(Warned, heard)}
    assert {("disk", True), ("disk", False), ("log", True), ("log", False)} <= told
    assert newest_state(run)["step"] == 48
    steps = [each.step for each in of(StepFinished, logged(run))]
    assert steps == list(range(1, 49))
    assert weights(run).keys() == weights(uninterrupted).keys()
    assert all(torch.equal(mine, weights(uninterrupted)[name]) for name, mine in weights(run).items())
    assert not history(run).warnings.keys() & {"disk", "log"}


def test_too_little_space_is_told_before_it_runs_out(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    run = make_run()
    warnings = {each.kind: each.message for each in of(Warned, train(run))}
    assert "MB more, and 1 MB are free in" in warnings["space"]
    assert "could not be written" in warnings["disk"]
    assert not list(run.checkpoints.iterdir())


def test_a_dataset_that_does_not_fit_into_memory_trains_from_disk(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted, run = make_run("whole"), make_run("on-disk")
    train(uninterrupted)
    monkeypatch.setattr("core.training.workbench.fits_memory", lambda size_bytes: False)
    train(run)
    assert_same_outcome(run, uninterrupted)


def test_a_file_poisoned_after_the_scan_is_left_out(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    soundfile.write(sounds / "tone-2.wav", np.full(48_000, np.nan), 48_000, subtype="FLOAT")
    events = train(run)
    assert end(events).state == "finished"
    assert any(
        "tone-2.wav is left out: it holds samples that are infinite" in each.message
        for each in of(Warned, events)
    )
    assert all(each.train_loss is not None for each in of(StepFinished, events))


def test_an_absurd_learning_rate_ends_with_finite_numbers_or_a_sentence(make_run: MakeRun) -> None:
    run = make_run(epochs=6, learning_rate=1.0, gradient_clip_norm=1000.0, learning_rate_warmup_fraction=0.0)
    last = end(train(run))
    assert last.state == "finished" or "smaller learning_rate" in last.message
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_a_last_checkpoint_that_cannot_be_written_is_told_with_the_end(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("core.training.checkpoint.write_atomically", full)
    cancelled = end(train_to(make_run("cancelled"), 3))
    assert cancelled.state == "cancelled"
    assert "step 3 could not be written" in cancelled.message
    finished = end(train(make_run("finished")))
    assert finished.state == "finished"
    assert "step 16 could not be written" in finished.message


def test_a_run_that_another_process_trains_is_left_alone(make_run: MakeRun) -> None:
    run = make_run()
    other = RunDirectory(run.path)
    other.lock.acquire()
    before = run.events.read_bytes()
    with pytest.raises(RunError, match="is being trained by process"):
        train(run)
    assert run.events.read_bytes() == before
    other.lock.release()


def test_changes_of_the_dataset_are_told_when_a_run_goes_on(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    train_to(run, 3)
    gone = run.read_manifest().split.train[0].path
    (sounds / gone).unlink()
    events = train(run)
    assert end(events).state == "finished"
    told = " ".join(each.message for each in of(Warned, events))
    assert f"{gone} is gone since the run began" in told
    assert f"{gone} is left out" in told
    for path in sounds.iterdir():
        path.unlink()
    sounds.rmdir()
    run.write_manifest(summarise(run).continued({"epochs": 9}))
    assert "is gone; put it back to continue" in end(train(run)).message


def test_a_warning_is_taken_back_when_it_is_no_longer_true(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    train_to(run, 3)
    sound = next(iter(sounds.iterdir()))
    hidden = sound.rename(sounds.parent / sound.name)
    train_to(run, 5)
    assert set(history(run).warnings) >= {"dataset", "unreadable"}
    hidden.rename(sound)
    train_to(run, 7)
    assert not {"dataset", "unreadable"} & set(history(run).warnings)


def history(run: RunDirectory) -> RunHistory:
    found = RunHistory()
    for event in logged(run):
        found.apply(event, 0.0)
    return found


def test_a_file_that_became_shorter_is_left_out(make_run: MakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "shrinking"
    folder.mkdir()
    for index in range(3):
        write_tone(folder / f"{index}.wav", 200.0 + index, 6.0)
    run = make_run("shrinking", folder, chunk_duration_s=1.0)
    write_tone(folder / "1.wav", 201.0, 0.3)
    events = train(run)
    assert end(events).state == "finished"
    assert any("1.wav is left out: it became shorter" in each.message for each in of(Warned, events))


def test_an_unexpected_error_is_a_sentence_and_its_traceback_is_in_the_log(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("core.training.trainer.evaluate", fail)
    run = make_run()
    last = end(train(run))
    assert last.state == "failed"
    assert "ZeroDivisionError: division by zero" in last.message
    assert "Traceback" in run.log.read_text()


@pytest.mark.parametrize("loss", ["calibrated", "usual"])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_and_loss_trains(make_run: MakeRun, preset: str, loss: str) -> None:
    values = {
        name: value for name, value in PRESETS[preset].values.items() if name in ("dropout", "weight_decay")
    }
    assert end(train(make_run(loss=loss, epochs=1, **values))).state == "finished"


def test_a_deterministic_run_trains(make_run: MakeRun) -> None:
    assert end(train(make_run(deterministic=True, epochs=1))).state == "finished"
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_any_number_of_files_of_any_length_trains(make_run: MakeRun, tmp_path: Path, count: int) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for index, duration_s in enumerate(
        (0.05, 60.0, 1.0, 0.3, 7.5, 0.1, 2.0, 0.7, 3.3, 0.05, 1.5, 4.0)[:count]
    ):
        write_tone(folder / f"{index}.wav", 100.0 * (index + 1), duration_s, samplerate=8000)
    run = make_run("mixed", folder, chunk_duration_s=1.0, epochs=1, batch_size=None)
    assert end(train(run)).state == "finished"


@pytest.mark.parametrize("chunk_duration_s", [0.25, 0.7, 4.0])
def test_any_chunk_duration_trains(make_run: MakeRun, chunk_duration_s: float) -> None:
    assert end(train(make_run(chunk_duration_s=chunk_duration_s, epochs=1))).state == "finished"


def test_a_batch_larger_than_the_dataset_trains(make_run: MakeRun) -> None:
    run = make_run(batch_size=64, epochs=1)
    assert end(train(run)).state == "finished"
    assert run.read_manifest().steps_per_epoch == 1


def test_one_sample_a_constant_and_near_silence_never_give_a_loss_that_is_not_finite(
    make_run: MakeRun, tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    soundfile.write(folder / "one.wav", np.array([0.5]), 48_000)
    soundfile.write(folder / "constant.wav", np.full(30_000, 0.25), 48_000, subtype="FLOAT")
    soundfile.write(folder / "loud.wav", np.full(30_000, 3e4), 48_000, subtype="FLOAT")
    soundfile.write(folder / "quiet.wav", 1.1e-3 * np.sin(np.arange(30_000) / 20), 48_000, subtype="FLOAT")
    soundfile.write(folder / "gap.wav", np.concatenate([np.ones(100), np.zeros(60_000)]), 48_000)
    events = train(make_run("odd", folder, epochs=3, augmentation_expansion=4))
    assert end(events).state == "finished"
    assert all(each.train_loss is not None for each in of(StepFinished, events))


def test_the_log_is_strict_json(make_run: MakeRun) -> None:
    run = make_run(epochs=1)
    train(run)
    for line in run.events.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
