"""Steps that are captured and replayed, as on a GPU, here by a tape of their operations."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from core.data.batches import TrainingBatches
from core.events import StepFinished, Warned
from core.runs import RunDirectory
from core.training import stepper
from core.training.cuda_graph import CudaGraphStep
from core.training.step import StepInputs, TrainingStep
from tests.conftest import MakeRun, create_run, write_tones
from tests.training import assert_same_outcome, end, of, train, train_to

Work = Callable[[], torch.Tensor]


class Tape(TorchDispatchMode):
    """Like a CUDA graph: operations on fixed places in memory, with the numbers they had at first."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = operator(*args, **(kwargs or {}))
        self._calls.append((operator, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for operator, args, kwargs, result in self._calls:
            again = operator(*args, **kwargs)
            for here, there in zip(tensors(result), tensors(again), strict=True):
                if here.data_ptr() != there.data_ptr():  # neither in place nor a view
                    here.copy_(there)


def tensors(result: Any) -> Iterator[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, list | tuple):
        for each in result:
            yield from tensors(each)


def taped(work: Work) -> Work:
    for _ in range(3):
        work()
    tape = Tape()
    with tape:
        result = work()

    def replay() -> torch.Tensor:
        tape.replay()
        return result

    return replay


def capture_with(monkeypatch: pytest.MonkeyPatch, capture: Callable[[Work], Work]) -> list[int]:
    """Let runs on a CPU replay their steps; the sizes of the batches whose steps were replayed."""
    sizes = []

    class Replayed(CudaGraphStep):
        def capture(self, work: Work) -> Work:
            return capture(work)

        def __call__(self, inputs: StepInputs, check: Callable[[], None] = lambda: None) -> torch.Tensor:
            metrics = super().__call__(inputs, check)
            if self.captured_size:
                sizes.append(self.captured_size)
            return metrics

    monkeypatch.setattr(stepper, "TrainingStep", lambda *args: Replayed(TrainingStep(*args)))
    return sizes


@pytest.mark.parametrize("model", ["pca_unet", "convolutional"])
def test_replayed_steps_equal_eager_steps(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    eager, run = (make_run(name, model=model, epochs=1) for name in ("eager", "replayed"))
    train(eager)
    sizes = capture_with(monkeypatch, taped)
    assert len(of(StepFinished, train(run))) == len(sizes)
    assert_same_outcome(run, eager)


def test_capture_begins_when_nothing_else_uses_the_device(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    class Replayed(CudaGraphStep):
        def capture(self, work: Work) -> Work:
            calls.append("capture")
            return taped(work)

    monkeypatch.setattr(
        stepper, "TrainingStep", lambda *args: Replayed(TrainingStep(*args), lambda: calls.append("quiesce"))
    )
    train(make_run(epochs=1))
    assert calls == ["quiesce", "capture"]


def test_replayed_steps_equal_eager_steps_after_a_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, uninterrupted: RunDirectory
) -> None:
    sizes = capture_with(monkeypatch, taped)
    run = make_run()
    train_to(run, 5)
    train(run)
    assert sizes
    assert_same_outcome(run, uninterrupted)


def test_replayed_steps_equal_eager_steps_after_a_rollback(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager, run = (make_run(name, epochs=3) for name in ("eager", "replayed"))
    with monkeypatch.context() as patch:
        poison_sounds(patch)
        train(eager)
    poison_sounds(monkeypatch)
    capture_with(monkeypatch, taped)
    assert any("back at step 8" in each.message for each in of(Warned, train(run)))
    assert_same_outcome(run, eager)


def poison_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten batches in a row, of the ninth step and later, not be numbers."""
    real = TrainingBatches.batch
    count = 0

    def batch(self: TrainingBatches, step: int, size: int) -> torch.Tensor:
        nonlocal count
        count += 1
        return real(self, step, size) * (torch.nan if 9 <= count <= 18 else 1.0)

    monkeypatch.setattr(TrainingBatches, "batch", batch)


def fails(_: Work) -> Work:
    raise RuntimeError("operation not permitted when stream is capturing")


def finds_no_memory(_: Work) -> Work:
    raise torch.OutOfMemoryError("out of memory")


def returns_something_else(work: Work) -> Work:
    numbers = work()
    return lambda: 2 * numbers


def moves_twice(work: Work) -> Work:
    return lambda: (work(), work())[0]


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of one epoch whose steps were not captured; not to be changed."""
    folder = tmp_path_factory.mktemp("eager")
    run = create_run(folder, "eager", write_tones(folder / "sounds"), {"epochs": 1})
    train(run)
    return run


@pytest.mark.parametrize("capture", [fails, finds_no_memory, returns_something_else, moves_twice])
def test_bad_capture_is_logged_and_changes_nothing(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, eager: RunDirectory, capture: Callable[[Work], Work]
) -> None:
    sizes = capture_with(monkeypatch, capture)
    run = make_run(epochs=1)
    train(run)
    assert sizes == []
    assert_same_outcome(run, eager)
    assert "steps are not captured" in run.log.read_text()


def test_batch_too_large_for_memory_is_halved_and_captured(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TrainingStep.__call__

    def step(self: TrainingStep, inputs: StepInputs, *rest: Any) -> torch.Tensor:
        if len(inputs.batch[0]) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, inputs, *rest)

    sizes = capture_with(monkeypatch, taped)
    monkeypatch.setattr(TrainingStep, "__call__", step)
    run = make_run(batch_size=4, epochs=1)
    assert end(train(run)).state == "finished"
    assert set(sizes) == {2}
