"""The state of a run: declared once, in one place, the same size however long the run is."""

import pytest
import torch
from torch import nn

from core.config import TrainingConfig
from core.errors import CheckpointError
from core.training.state import Progress, ResumePoint, TrainingState
from tests.toy_task import Constant


class Task:
    """As much of a task as its state needs."""

    def __init__(self) -> None:
        self.model = Constant()

    def parameter_groups(self):  # type: ignore[no-untyped-def]
        from core.optim.groups import ParameterGroup

        return [ParameterGroup(list(self.model.parameters()))]

    def state_dict(self, model: nn.Module) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None: ...


class Counter:
    """A part with state."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]


def new_state() -> TrainingState:
    return TrainingState(Task(), TrainingConfig().resolved(8))  # type: ignore[arg-type]


def test_registered_part_is_saved_and_loaded_with_the_rest() -> None:
    state, counter = new_state(), Counter()
    state.register(counter=counter)
    counter.count, state.progress.step = 7, 3
    with torch.no_grad():
        state.model.weight.fill_(2.0)
    saved = state.state_dict()
    other, other_counter = new_state(), Counter()
    other.register(counter=other_counter)
    other.load_state_dict(saved)
    assert (other_counter.count, other.progress.step) == (7, 3)
    assert torch.equal(other.model.weight, torch.full((3,), 2.0))


@pytest.mark.parametrize("name", ["model", "progress", "task"])
def test_name_of_a_part_is_taken_once(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: registered already"):
        new_state().register(**{name: Counter()})


def test_best_epoch_is_that_of_the_lowest_finite_loss() -> None:
    progress = Progress(batch_size=1)
    for epoch, loss in enumerate((float("nan"), 3.0, 1.0, 2.0, float("nan")), 1):
        progress.record_validation(epoch, loss)
    assert (progress.best_epoch, progress.best_loss, progress.validated_epochs) == (3, 1.0, 5)


@pytest.mark.parametrize("state", [{}, {"progress": {}}, {"progress": {"step": 1, "validated_epochs": 1}}])
def test_checkpoint_without_progress_has_no_resume_point(state: dict) -> None:
    with pytest.raises(CheckpointError, match=r"a\.pt does not hold how far"):
        ResumePoint.read(state, "a.pt")
