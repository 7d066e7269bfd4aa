"""Steps that are recorded and repeated, as on a GPU, here by calling them again."""

from collections.abc import Callable

import pytest
import torch

from core.events import StepFinished
from core.run import RunDirectory
from core.training.step import RepeatedStep, StepInputs, TrainingStep
from tests.conftest import MakeRun
from tests.training import assert_same_outcome, end, of, train

Work = Callable[[], torch.Tensor]


def record_with(monkeypatch: pytest.MonkeyPatch, record: Callable[[Work], Work]) -> list[int]:
    """Let runs on a processor repeat their steps; the sizes of the batches that were recorded."""
    sizes = []

    class Repeated(RepeatedStep):
        def record(self, work: Work) -> Work:
            return record(work)

        def __call__(self, inputs: StepInputs, check: Callable[[], None] = lambda: None) -> torch.Tensor:
            numbers = super().__call__(inputs, check)
            if self._inputs is not None:
                sizes.append(len(self._inputs.log_mel))
            return numbers

    monkeypatch.setattr("core.training.trainer.TrainingStep", lambda *args: Repeated(TrainingStep(*args)))
    return sizes


def after_warming_up(work: Work) -> Work:
    """As a CUDA graph: some steps before, and the same memory for the result each time."""
    result = torch.zeros(4)
    for _ in range(3):
        work()
    return lambda: result.copy_(work())


@pytest.mark.parametrize("model", ["refined", "convolutional"])
def test_repeated_steps_are_the_steps_themselves(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    usual, run = (make_run(name, model=model, dropout=0.2) for name in ("usual", "repeated"))
    train(usual)
    sizes = record_with(monkeypatch, after_warming_up)
    assert len(of(StepFinished, train(run))) == len(sizes)
    assert_same_outcome(run, usual)


def fails(_: Work) -> Work:
    raise RuntimeError("operation not permitted when stream is capturing")


def does_something_else(work: Work) -> Work:
    numbers = work()
    return lambda: 2 * numbers


@pytest.mark.parametrize("record", [fails, does_something_else])
def test_a_bad_recording_is_told_and_changes_nothing(
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    uninterrupted: RunDirectory,
    record: Callable[[Work], Work],
) -> None:
    sizes = record_with(monkeypatch, record)
    run = make_run()
    train(run)
    assert sizes == []
    assert_same_outcome(run, uninterrupted)
    assert "steps are not recorded" in run.log.read_text()


def test_a_batch_that_memory_is_too_small_for_is_halved_and_recorded(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def record(work: Work) -> Work:
        repeat = after_warming_up(work)
        attempts.append(1)
        if len(attempts) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return repeat

    sizes = record_with(monkeypatch, record)
    run = make_run(batch_size=4)
    assert end(train(run)).state == "finished"
    assert set(sizes) == {2}
    assert len(attempts) == 2
