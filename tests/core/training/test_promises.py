"""When a run validates, saves, renders and clips, by the toy task with validation losses that are given."""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.checkpoints.archive import read_checkpoint
from core.checkpoints.writer import CheckpointWriter
from core.config import SpectrogramConfig, TrainingConfig
from core.events import CheckpointSaved, EpochFinished, PreviewReady, RunEvent, StepFinished
from core.runs import RunDirectory
from core.training.control import Control
from core.training.eta import RunClock
from core.training.reporter import epoch_event
from core.training.run import train_run
from core.training.setup import TrainingSetup, build_setup
from core.training.state import Progress, TrainingState
from core.training.step import StepInputs, TrainingStep
from core.training.task import SetupContext, TaskLoss, Validation
from core.training.vae_task import VaeTask
from tests.conftest import MakeRun
from tests.toy_task import TOY, ToyTask, train_toy
from tests.training import logged, newest_state, of

STEPS = 8  # of an epoch of `make_run`


def train_with_losses(run: RunDirectory, losses: Sequence[float]) -> list[RunEvent]:
    """Train the toy task; the n-th epoch's validation loss is the n-th of these."""

    class Judged(ToyTask):
        def validate(self, model: Any, epoch: int, is_active: Any) -> Validation:
            return Validation(1.0, losses[epoch - 1], 1.0, 1.0)

    train_run(run, "cpu", Control(run.requests), lambda _: None, Judged)
    return logged(run)


def test_best_checkpoint_follows_the_lowest_validation_loss(make_run: MakeRun) -> None:
    run = make_run(**TOY)
    events = train_with_losses(run, [5, 3, 4, 2, 6, math.nan])
    epochs = of(EpochFinished, events)
    assert [each.best_epoch for each in epochs] == [1, 2, 2, 4, 4, 4]
    assert [each.best_validation_loss for each in epochs] == [5, 3, 3, 2, 2, 2]
    saved = [each for each in of(CheckpointSaved, events) if each.reason == "best"]
    assert [(each.epoch, each.step) for each in saved] == [(1, STEPS), (2, 2 * STEPS), (4, 4 * STEPS)]
    best = read_checkpoint(run.checkpoints / "best.pt")
    assert (best["step"], best["epoch"], best["progress"]["best_loss"]) == (4 * STEPS, 4, 2)
    assert newest_state(run)["step"] == 6 * STEPS


@pytest.mark.parametrize(("interval", "rendered"), [(1, [0, 1, 2, 3, 4, 5, 6]), (4, [0, 4, 6]), (6, [0, 6])])
def test_previews_come_at_their_interval_and_with_the_last_epoch(
    make_run: MakeRun, interval: int, rendered: list[int]
) -> None:
    events = train_toy(make_run(**{**TOY, "preview_interval": interval}))
    assert [each.epoch for each in of(PreviewReady, events)] == rendered


@pytest.mark.parametrize("interval", [1, 2, 4])
def test_checkpoints_come_at_their_interval(make_run: MakeRun, interval: int) -> None:
    events = train_toy(make_run(**{**TOY, "checkpoint_interval": interval}))
    saved = [each.step for each in of(CheckpointSaved, events) if each.reason == "interval"]
    assert saved == [epoch * STEPS for epoch in range(interval, 6, interval)]


@pytest.mark.parametrize(
    ("minutes", "age_s", "is_due"), [(2, 121.0, True), (2, 119.0, False), (5, 121.0, False)]
)
def test_checkpoint_is_due_after_so_many_minutes(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, minutes: float, age_s: float, is_due: bool
) -> None:
    monkeypatch.setattr(CheckpointWriter, "age_s", property(lambda _: age_s))
    events = train_toy(make_run(**{**TOY, "checkpoint_interval": 100, "checkpoint_minutes": minutes}))
    saved = [each.step for each in of(CheckpointSaved, events) if each.reason == "interval"]
    assert saved == (list(range(1, 6 * STEPS)) if is_due else [])


def test_weights_are_saved_as_they_are_and_averaged(make_run: MakeRun) -> None:
    run = make_run(**TOY)
    train_toy(run)
    state = newest_state(run)
    model, ema_model = state["model"]["weight"], state["ema_model"]["weight"]
    assert not torch.equal(model, ema_model)
    assert torch.allclose(model, ema_model, atol=0.2)
    assert ema_model.abs().min() > 0.2  # it left zero, where it began


def toy_step(run: RunDirectory, clip_norm: float) -> tuple[TrainingStep, TrainingState, ToyTask]:
    context = SetupContext(run, run.read_manifest(), torch.device("cpu"), True, lambda: False, lambda _: None)
    task = ToyTask(context)
    config = TrainingConfig().with_settings({"gradient_clip_norm": clip_norm}).resolved(8)
    state = TrainingState(task, config)  # type: ignore[arg-type]
    return TrainingStep(task, state, config), state, task  # type: ignore[arg-type]


@pytest.mark.parametrize(("clip_norm", "left"), [(0.25, 0.25), (100.0, None)])
def test_gradient_is_clipped_to_its_norm(make_run: MakeRun, clip_norm: float, left: float | None) -> None:
    step, state, task = toy_step(make_run(), clip_norm)
    metrics = step(StepInputs(task.batch(0, 2), torch.tensor([0.1, 1.0, 1.0]), ("half",)))
    reported = float(metrics[step.metric_names.index("gradient_norm")])
    assert reported > 0.5  # before clipping
    gradient = state.model.weight.grad
    assert float(gradient.norm()) == pytest.approx(left or reported, rel=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_step_with_one_bad_number_changes_no_weight(make_run: MakeRun, bad: float) -> None:
    step, state, _ = toy_step(make_run(), 1.0)
    batch = (torch.tensor([[1.0, bad, 1.0]]),)
    before = state.model.weight.detach().clone()
    step(StepInputs(batch, torch.tensor([0.1, 0.0, 1.0]), ("half",)))
    assert torch.equal(state.model.weight, before)


def test_epoch_event_has_what_is_left_and_what_is_over() -> None:
    now_s = [0.0]
    clock = RunClock(lambda: now_s[0])
    now_s[0] = 7.0
    clock.add_step(2.0)
    clock.add_evaluation(10.0)
    manifest = SimpleNamespace(total_steps=48, config=SimpleNamespace(epochs=6))
    progress = Progress(2, step=16, validated_epochs=2, best_loss=0.5, best_epoch=1)
    result = Validation(0.1, 0.7, 1.0, 1.5)
    event = epoch_event(manifest, progress, torch.device("cpu"), clock, result, 0.5)  # type: ignore[arg-type]
    assert (event.epoch, event.total_epochs, event.step) == (2, 6, 16)
    assert event.eta_s == 32 * 2.0 + 4 * 10.0
    assert event.elapsed_s == 7.0
    assert (event.best_epoch, event.best_validation_loss) == (1, 0.5)
    assert (event.train_loss, event.validation_loss) == (0.1, 0.7)


def test_each_step_draws_random_numbers_of_its_own(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As dropout does; and the same ones in the same run."""
    drawn: list[float] = []
    real = ToyTask.step

    def step(self: ToyTask, batch: Any, schedule: Any) -> TaskLoss:
        drawn.append(float(torch.rand(())))
        return real(self, batch, schedule)

    monkeypatch.setattr(ToyTask, "step", step)
    for name in ("once", "again"):
        train_toy(make_run(name))
    assert len(set(drawn)) == 2 * STEPS
    assert drawn[: 2 * STEPS] == drawn[2 * STEPS :]


# -- the VAE ----------------------------------------------------------------------------------------------


@pytest.fixture
def vae_setup(make_run: MakeRun) -> tuple[RunDirectory, TrainingSetup]:
    run = make_run()
    context = SetupContext(
        run, run.read_manifest(), torch.device("cpu"), False, lambda: False, lambda _: None
    )
    return run, build_setup(context)


def test_each_side_of_the_split_is_measured_on_its_own_files(
    vae_setup: tuple[RunDirectory, TrainingSetup],
) -> None:
    run, setup = vae_setup
    split = run.read_manifest().split
    for measured, excerpts in ((setup.training_set, split.train), (setup.validation_set, split.validation)):
        assert len(measured) == sum(len(each.chunk_starts_s) for each in excerpts)
        assert loudest_bands(measured) == {band_of(each.path) for each in excerpts}


def test_previews_begin_with_a_held_out_clip(uninterrupted: RunDirectory) -> None:
    original, *_ = of(PreviewReady, logged(uninterrupted))
    kind, name = original.label.split(" · ")
    assert kind == "original"
    assert name in {each.path for each in uninterrupted.read_manifest().split.validation}
    for preview in ("original", "resynthesis"):
        samples, _ = soundfile.read(uninterrupted.previews / f"{preview}.wav", dtype="float32")
        log_mel = LogMelSpectrogram(SpectrogramConfig())(torch.from_numpy(samples).unsqueeze(0))
        assert loudest_bands(log_mel) == {band_of(name)}, preview


def loudest_bands(log_mel: torch.Tensor) -> set[int]:
    return {int(each.squeeze(0).mean(1).argmax()) for each in log_mel}


def band_of(path: str) -> int:
    """The loudest mel band of `tone-3.wav`, whose frequency is 440 Hz."""
    frequency_hz = 110.0 * (int(path.removesuffix(".wav").split("-")[1]) + 1)
    time_s = torch.arange(12_000) / 48_000
    sine = torch.sin(2 * math.pi * frequency_hz * time_s).unsqueeze(0)
    return int(LogMelSpectrogram(SpectrogramConfig())(sine).squeeze().mean(1).argmax())


def test_each_step_has_sounds_and_noise_of_its_own(make_run: MakeRun) -> None:
    run = make_run()
    manifest = run.read_manifest()
    context = SetupContext(run, manifest, torch.device("cpu"), False, lambda: False, lambda _: None)
    task = VaeTask.set_up(context)
    sounds, noises = zip(*(task.batch(step, 2) for step in range(4)), strict=True)
    for each in (sounds, noises):
        assert not any(torch.equal(each[0], other) for other in each[1:])
    again = task.batch(0, 2)
    assert torch.equal(again[0], sounds[0])
    assert torch.equal(again[1], noises[0])
    task.close()


def test_noise_of_the_posterior_reaches_the_loss(make_run: MakeRun) -> None:
    run = make_run(dropout=0.0)
    manifest = run.read_manifest()
    context = SetupContext(run, manifest, torch.device("cpu"), True, lambda: False, lambda _: None)
    task = VaeTask.set_up(context)
    log_mel, noise = task.batch(0, 2)
    weights = {"kl_weight": torch.tensor(0.0)}
    losses = [task.step((log_mel, scale * noise), weights).total.item() for scale in (0.0, 1.0)]
    assert losses[1] > losses[0]
    task.close()


def test_learning_rate_in_the_log_is_that_of_the_schedule(make_run: MakeRun) -> None:
    run = make_run(**{**TOY, "learning_rate_warmup_fraction": 0.25})
    rates = [each.learning_rate for each in of(StepFinished, train_toy(run))]
    assert rates[11] == pytest.approx(0.1)  # 48 steps, the first 12 of them warm-up
    assert rates[0] == pytest.approx(0.1 / 12)
    assert rates[-1] < 0.0015
