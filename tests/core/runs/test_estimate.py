"""The time of a run, estimated before it begins by the speed of earlier ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.config import SettingValue, TrainingConfig
from core.data.report import Excerpt, Split
from core.events import DeviceInfo, EpochFinished, RunState
from core.runs import RunDirectory, RunManifest, RunSummary, estimate_time

GPU = DeviceInfo("cuda:0", "GPU", 80_000)
CPU = DeviceInfo("cpu", "CPU, 2 threads", 16_000)
STEP_TIME_S, OVERHEAD_S = 0.25, 4.0


def manifest(chunks: int = 32, **settings: SettingValue) -> RunManifest:
    config = TrainingConfig().with_settings({"epochs": 10, "augmentation_expansion": 2, **settings})
    side = (Excerpt("a.wav", 0.0, float(chunks), tuple(map(float, range(chunks)))),)
    return RunManifest(
        preset="balanced",
        config=config.resolved(chunks),
        spectrogram=config.spectrogram,
        folder="/sounds",
        files=(),
        split=Split("file", "", side, side),
    )


def trained(
    name: str, of: RunManifest, device: DeviceInfo = GPU, epochs: int = 5, names_device: bool = True
) -> RunSummary:
    steps = of.steps_per_epoch * epochs
    last = EpochFinished(
        epoch=epochs,
        total_epochs=epochs,
        step=steps,
        train_loss=1.0,
        validation_loss=1.0,
        train_error=1.0,
        validation_error=1.0,
        overfitting_gap=0.0,
        best_validation_loss=1.0,
        best_epoch=1,
        elapsed_s=steps * STEP_TIME_S + epochs * OVERHEAD_S,
        eta_s=0.0,
        memory_used_bytes=1,
        memory_peak_bytes=1,
        memory_total_bytes=device.memory_bytes,
        device=device.title if names_device else "",
    )
    return RunSummary(
        run=RunDirectory(Path("/runs") / name),
        state=RunState.FINISHED,
        manifest=of,
        problem="",
        message="",
        step=steps,
        epoch=epochs,
        last_epoch=last,
        elapsed_s=last.elapsed_s,
        modified_s=0.0,
        size_bytes=0,
        holder_pid=None,
        step_time_s=STEP_TIME_S,
    )


def test_a_like_run_takes_the_time_of_its_steps_and_of_what_follows_epochs() -> None:
    wanted = manifest()
    estimate = estimate_time(wanted, GPU, [trained("before", manifest())])
    assert estimate is not None
    assert estimate.seconds == pytest.approx(wanted.total_steps * STEP_TIME_S + 10 * OVERHEAD_S)
    assert (estimate.run, estimate.is_scaled) == ("before", False)


def test_the_speed_of_another_size_is_scaled_by_the_computing_of_a_step() -> None:
    before = trained("before", manifest(batch_size=8))
    estimate = estimate_time(manifest(batch_size=16), GPU, [before])
    assert estimate is not None
    assert estimate.is_scaled
    same_work = estimate_time(manifest(batch_size=8), GPU, [before])
    assert same_work is not None
    assert estimate.seconds == pytest.approx(same_work.seconds)  # half the steps, of twice the work


def test_the_run_most_like_it_is_taken_and_of_several_the_newest() -> None:
    far, near, older = (
        trained("far", manifest(width=48)),
        trained("near", manifest()),
        trained("older", manifest()),
    )
    estimate = estimate_time(manifest(), GPU, [far, near, older])
    assert estimate is not None
    assert estimate.run == "near"


def test_a_device_is_known_by_its_name_and_in_old_logs_by_its_memory() -> None:
    other_gpu = replace(GPU, title="Another GPU")
    assert estimate_time(manifest(), CPU, [trained("run", manifest(), GPU)]) is None
    assert estimate_time(manifest(), other_gpu, [trained("run", manifest(), GPU)]) is None
    unnamed = trained("run", manifest(), GPU, names_device=False)
    assert estimate_time(manifest(), GPU, [unnamed]) is not None
    assert estimate_time(manifest(), CPU, [unnamed]) is None


def test_runs_that_say_too_little_give_no_estimate() -> None:
    wanted = manifest(batch_size=8)
    run = trained("run", wanted)
    assert run.last_epoch is not None
    for unlike in (
        trained("other model", manifest(batch_size=8, model="convolutional")),
        trained("much smaller", manifest(batch_size=1)),
        trained("too short", wanted, epochs=1),
        replace(run, manifest=None, problem="damaged"),
        replace(run, last_epoch=None),
        replace(run, last_epoch=replace(run.last_epoch, elapsed_s=0.0)),
    ):
        assert estimate_time(wanted, GPU, [unlike]) is None
    assert estimate_time(wanted, GPU, []) is None


def test_slow_last_steps_do_not_outweigh_the_whole_run() -> None:
    slow = replace(trained("run", manifest()), step_time_s=100 * STEP_TIME_S)
    assert slow.last_epoch is not None
    estimate = estimate_time(manifest(), GPU, [slow])
    assert estimate is not None
    assert estimate.seconds == pytest.approx(2 * slow.last_epoch.elapsed_s)  # twice the epochs


def test_a_log_without_step_times_is_taken_as_a_whole() -> None:
    run = replace(trained("run", manifest()), step_time_s=None)
    whole, parts = (estimate_time(manifest(), GPU, [each]) for each in (run, trained("run", manifest())))
    assert whole is not None
    assert parts is not None
    assert whole.seconds == pytest.approx(parts.seconds)
