"""Training on a GPU, where there is one."""

import functools
from collections.abc import Callable, Iterator

import pytest
import torch

from core.events import EpochFinished, PreviewReady, RunEvent, StepFinished, Warned
from core.runs import RunDirectory
from core.training.step import TrainingStep
from core.training.stepper import FLUSH_INTERVALS_S
from tests import training
from tests.conftest import MakeRun
from tests.training import assert_same_outcome, end, hold_previews, newest_state, of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

train = functools.partial(training.train, device="cuda")
train_to = functools.partial(training.train_to, device="cuda")
Exact = Callable[..., RunDirectory]
LARGE_BATCH = 512  # a chunk of a quarter of a second takes 0.4 MB


@pytest.fixture
def make_exact_run(make_run: MakeRun) -> Iterator[Exact]:
    """Makes runs that give the same bits each time."""
    yield functools.partial(make_run, deterministic=True, epochs=3, dropout=0.1)
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("model", ["pca_unet", "convolutional"])
def test_steps_are_captured_in_a_cuda_graph(make_run: MakeRun, model: str) -> None:
    run = make_run(model=model)
    events = train(run)
    assert end(events).state == "finished", end(events).message
    assert "steps of 2 items are captured in a CUDA graph" in run.log.read_text()
    assert "not captured" not in run.log.read_text()
    assert len(of(StepFinished, events)) == 16
    assert len(of(PreviewReady, events)) == 2 + 3 * 2


def test_gpu_learns_what_a_cpu_does(make_run: MakeRun) -> None:
    settings = {"epochs": 6, "augmentation_strength": 0.0}
    found = of(EpochFinished, train(make_run("gpu", **settings)))
    expected = of(EpochFinished, training.train(make_run("cpu", **settings)))
    assert found[-1].validation_loss == pytest.approx(expected[-1].validation_loss, rel=0.03)
    assert found[-1].train_error == pytest.approx(expected[-1].train_error, rel=0.03)


@pytest.mark.parametrize("model", ["pca_unet", "convolutional"])
def test_replayed_steps_equal_eager_steps(
    make_exact_run: Exact, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    replayed, eager = (make_exact_run(name, model=model) for name in ("replayed", "eager"))
    train(replayed)
    assert "captured in a CUDA graph" in replayed.log.read_text()
    monkeypatch.setattr("core.training.stepper.CudaGraphStep", lambda step, _: step)
    train(eager)
    assert_same_outcome(replayed, eager)


@pytest.mark.parametrize("model", ["pca_unet", "convolutional"])
@pytest.mark.parametrize("step", [5, 16])
def test_resumed_run_is_bit_identical(make_exact_run: Exact, model: str, step: int) -> None:
    usual, run = (make_exact_run(name, model=model) for name in ("usual", "resumed"))
    train(usual)
    train_to(run, step)
    assert end(train(run)).state == "finished"
    assert_same_outcome(run, usual)


@pytest.mark.parametrize("epoch", [1, 2])
def test_cancel_while_previews_are_rendered_loses_none(
    make_exact_run: Exact, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    usual, run = make_exact_run("usual"), make_exact_run("cancelled")
    train(usual)
    with monkeypatch.context() as patch:
        patch.setitem(FLUSH_INTERVALS_S, "cuda", 0.0)
        hold_previews(patch, epoch)
        train_to(run, 8 * epoch + 1)
    assert newest_state(run)["previews"]["pending"]["epoch"] == epoch
    train(run)
    assert_same_outcome(run, usual)


def test_sounds_that_do_not_fit_the_gpu_stay_in_memory(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"epochs": 3, "batch_size": 8}
    expected = of(EpochFinished, train(make_run("there", **settings)))
    monkeypatch.setattr("core.training.setup.has_room_for", lambda *_: False)
    found = of(EpochFinished, train(make_run("here", **settings)))
    assert found[-1].validation_loss == pytest.approx(expected[-1].validation_loss, rel=0.03)


LARGE_BATCH = 512  # a chunk of a quarter of a second takes 0.4 MB


def test_batch_too_large_for_the_gpu_is_halved(make_run: MakeRun) -> None:
    total = torch.cuda.get_device_properties().total_memory
    settings = {"width": 64, "epochs": 1}

    def need(batch_size: int) -> int:
        """Bytes that steps of so many take beyond what is there before the first."""
        before, peak = 0, 0

        def measure(event: RunEvent) -> None:
            nonlocal before, peak
            if isinstance(event, PreviewReady) and event.epoch == 0:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_reserved()
            if isinstance(event, StepFinished):
                peak = torch.cuda.max_memory_reserved()

        train(make_run(f"measured-{batch_size}", batch_size=batch_size, **settings), measure)
        return peak - before

    smallest, largest = need(1), need(LARGE_BATCH)
    assert smallest < 0.8 * largest
    room = (smallest + largest) / 2

    def limit(event: RunEvent) -> None:
        if isinstance(event, PreviewReady) and event.epoch == 0:
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + room) / total)

    try:
        run = make_run("small", batch_size=LARGE_BATCH, **settings)
        events = train(run, limit)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert end(events).state == "finished", end(events).message
    assert any("out of memory" in each.message for each in of(Warned, events)), (
        (smallest, largest),
        run.log.read_text(),
    )


def test_failed_capture_leaves_the_gpu_usable(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    real = TrainingStep.__call__

    def step(self: TrainingStep, *arguments: object) -> torch.Tensor:
        numbers = real(self, *arguments)  # type: ignore[arg-type]
        numbers.sum().item()  # which a capture does not allow
        return numbers

    monkeypatch.setattr(TrainingStep, "__call__", step)
    run = make_run()
    assert end(train(run)).state == "finished"
    assert "the step could not be captured" in run.log.read_text()
