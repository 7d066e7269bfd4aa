"""Whole runs in trouble: bad numbers, no memory, a full disk, sounds that change underneath."""

import contextlib
import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from core.errors import RunError
from core.events import PreviewReady, RunEvent, RunState, StepFinished, Warned
from core.model import VAE
from core.runs import RunDirectory, summarise
from core.training.control import Control
from core.training.run import train_run
from tests.conftest import MakeRun, file_size_limit
from tests.training import (
    assert_same_outcome,
    end,
    logged,
    newest_state,
    of,
    train,
    train_to,
    wait_for,
    weights,
)


def test_lack_of_memory_of_a_cpu_halves_the_batch(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step asks torch's allocator for more than any machine has, until the batch is halved."""
    real = VAE.forward

    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor):
        torch.empty((1 << 50) if len(log_mel) > 1 else 1)
        return real(self, log_mel, noise)

    monkeypatch.setattr(VAE, "forward", forward)
    events = train(make_run())
    assert end(events).state == "finished"
    (message,) = [each.message for each in of(Warned, events) if each.kind == "memory"]
    assert message == "The device ran out of memory: the batch size is now 1, not 2."


@pytest.mark.parametrize("failures", [1, 2])
def test_lack_of_memory_to_measure_is_answered_once(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """With memory freed, and if that does not help with a sentence; the state is saved then."""
    from core.training import vae_task

    calls = []
    real = vae_task.evaluate

    def evaluate(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) <= failures:
            np.empty(1 << 50)
        return real(*arguments)

    monkeypatch.setattr(vae_task, "evaluate", evaluate)
    run = make_run()
    last = end(train(run))
    if failures == 1:
        assert (last.state, last.message) == ("finished", "")
    else:
        assert last.state == "failed"
        assert "has not enough memory to measure the model; choose a smaller batch_size" in last.message
        assert newest_state(run)["step"] == 0


def test_lack_of_memory_before_the_first_step_is_a_sentence(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.setup._initialise", lambda *_: torch.empty(1 << 50))
    last = end(train(make_run()))
    assert last.state == "failed"
    assert last.message.startswith("There is too little memory for this run; close other programs")


def test_lack_of_memory_for_one_chunk_ends_the_run_with_advice(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(VAE, "forward", forward)
    last = end(train(make_run()))
    assert last.state == "failed"
    assert "one chunk of 0.25 s with 4 latent dimensions; choose a smaller chunk_duration_s" in last.message


def test_full_disk_is_warned_of_and_training_continues(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import atomic

    def full(path: Path, data: bytes) -> None:
        if path.name == "step-000000008.pt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        atomic.write_atomically(path, data)

    monkeypatch.setattr("core.checkpoints.folder.write_atomically", full)
    run = make_run()
    events = train(run)
    messages = [each.message for each in of(Warned, events) if each.kind == "disk"]
    assert "step 8 could not be written" in messages[0]
    assert "No space left on device" in messages[0]
    assert messages[-1] == ""
    assert (run.checkpoints / "step-000000016.pt").exists()


def test_a_run_whose_disk_stays_full_is_not_finished_and_continues(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    """From the second epoch on log lines and previews fit, and checkpoints do not."""
    run = make_run("full")
    with contextlib.ExitStack() as full:

        def listen(event: RunEvent) -> None:
            if isinstance(event, StepFinished) and event.step == 12:
                wait_for(run.checkpoints / "step-000000008.pt")
                full.enter_context(file_size_limit(200_000))

        last = end(train(run, listen))
    assert last.state == "failed"
    assert "The checkpoint of step 16 could not be written" in last.message
    assert "(File too large); files may not become as long as that here" in last.message
    summary = summarise(run)
    assert (summary.state, summary.step, summary.epoch) == (RunState.FAILED, 8, 1)
    summary.continued({})
    assert end(train(run)).state == "finished"
    assert_same_outcome(run, uninterrupted)


@pytest.mark.parametrize("is_repaired", [True, False])
def test_previews_that_could_not_be_written_are_made_again(
    make_run: MakeRun, uninterrupted: RunDirectory, is_repaired: bool
) -> None:
    """Those of the first epoch with the next ones, those of the last after a resume."""
    run = make_run()
    hidden = run.path / "hidden"

    def repair() -> None:
        run.previews.unlink()
        hidden.rename(run.previews)

    def listen(event: RunEvent) -> None:
        is_last_of_epoch = isinstance(event, PreviewReady) and event.kind == "sample"
        if is_last_of_epoch and event.epoch == (0 if is_repaired else 1):
            run.previews.rename(hidden)
            run.previews.touch()
        if is_repaired and isinstance(event, Warned) and event.kind == "preview" and event.message:
            repair()

    events = train(run, listen)
    messages = [each.message for each in of(Warned, events) if each.kind == "preview"]
    assert messages[0].startswith(f"The previews of epoch {1 if is_repaired else 2} could not be written")
    if is_repaired:
        assert messages[-1] == ""
    else:
        assert end(events).state == "failed"
        assert end(events).message == messages[-1]
        repair()
        summarise(run).continued({})
        events = train(run)
    assert end(events).state == "finished"
    assert_same_outcome(run, uninterrupted)


def test_a_run_that_is_moved_while_it_trains_continues_where_it_is_then(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    run = make_run()
    moved = RunDirectory(run.path.with_name("moved"))

    def listen(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 10:
            run.path.rename(moved.path)

    train_run(run, "cpu", Control(run.requests), listen)
    assert not run.path.exists()
    last = end(logged(moved))
    assert last.state == "failed"
    assert "its folder was moved or deleted; put it back" in last.message
    assert end(train(moved)).state == "finished"
    assert_same_outcome(moved, uninterrupted)


def test_what_a_killed_process_left_is_removed_and_nothing_else(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    outside = tmp_path / "outside"
    outside.touch()
    killed = subprocess.Popen(["true"])
    killed.wait()
    gone = killed.pid
    leftovers = [
        run.path / f".events.jsonl.{gone}.tmp",
        run.path / f".run.json.{gone}.tmp",
        run.checkpoints / f".step-000000004.pt.{gone}.tmp",
        run.checkpoints / f".step-000000004-saved.pt.{gone}.tmp",
        run.checkpoints / f".best.pt.{gone}.tmp",
        run.previews / f".epoch-0001-sample-1.wav.{gone}.tmp",
        run.previews / f".epoch-0001-sample-1.npy.{gone}.tmp",
    ]
    others = [
        run.path / f".notes.{gone}.tmp",
        run.path / f"events.jsonl.{gone}.tmp",
        run.checkpoints / ".step-000000004.pt.tmp",
        run.checkpoints / f".my-model.pt.{gone}.tmp",
        run.previews / f".epoch-0001-sample-2.wav.{os.getppid()}.tmp",  # being rendered by another process
    ]
    for path in (*leftovers, *others):
        path.touch()
    (run.checkpoints / f".step-000000005.pt.{gone}.tmp").symlink_to(outside)
    train_to(run, 1)
    assert [path.name for path in leftovers if path.exists()] == []
    assert all(path.exists() for path in others)
    assert outside.exists()


def test_too_little_space_is_warned_of_before_it_runs_out(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=100_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    run = make_run()
    warnings = {each.kind: each.message for each in of(Warned, train(run))}
    assert "MB more, and 0 MB are free in" in warnings["space"]
    assert "could not be written" in warnings["disk"]
    assert not list(run.checkpoints.iterdir())


def test_a_dataset_that_does_not_fit_into_memory_trains_from_disk(
    make_run: MakeRun, uninterrupted: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("on-disk")
    monkeypatch.setattr("core.training.setup.fits_memory", lambda size_bytes: False)
    train(run)
    assert_same_outcome(run, uninterrupted)


def test_a_file_poisoned_after_the_scan_is_left_out(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    soundfile.write(sounds / "tone-2.wav", np.full(48_000, np.nan), 48_000, subtype="FLOAT")
    events = train(run)
    assert end(events).state == "finished"
    assert any("tone-2.wav is gone or changed" in each.message for each in of(Warned, events))
    assert all(each.train_loss is not None for each in of(StepFinished, events))


def test_absurd_learning_rate_ends_with_finite_numbers_or_advice(make_run: MakeRun) -> None:
    run = make_run(epochs=6, learning_rate=1.0, gradient_clip_norm=1000.0, learning_rate_warmup_fraction=0.0)
    last = end(train(run))
    assert last.state == "finished" or "smaller learning_rate" in last.message
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_last_checkpoint_that_cannot_be_written_is_in_the_last_message(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("core.checkpoints.folder.write_atomically", full)
    cancelled = end(train_to(make_run("cancelled"), 3))
    assert cancelled.state == "cancelled"
    assert "step 3 could not be written" in cancelled.message
    finished = end(train(make_run("finished")))
    assert finished.state == "failed"
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


def test_unexpected_error_is_one_message_and_its_traceback_is_logged(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("core.training.vae_task.evaluate", fail)
    run = make_run()
    last = end(train(run))
    assert last.state == "failed"
    assert "ZeroDivisionError: division by zero" in last.message
    assert "Traceback" in run.log.read_text()
