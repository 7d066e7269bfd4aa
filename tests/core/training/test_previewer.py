"""Previews that are rendered beside the training, as on a GPU."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.events import EpochFinished, PreviewReady, RunEvent, StepFinished, Warned
from core.run import RunDirectory
from core.training.control import Control
from core.training.preview import PreviewRenderer
from tests.conftest import MakeRun
from tests.training import assert_same_outcome, cancel_when, end, logged, of, train


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a processor render beside the training, which takes longer than a step there."""
    real = PreviewRenderer.render

    def render(self: PreviewRenderer, *arguments: Any) -> Iterator[PreviewReady]:
        time.sleep(0.2)
        return real(self, *arguments)

    monkeypatch.setattr(PreviewRenderer, "render", render)
    monkeypatch.setattr("core.training.previewer.BESIDE", {"cpu"})


@pytest.mark.usefixtures("beside")
def test_steps_go_on_meanwhile_and_nothing_changes(make_run: MakeRun, uninterrupted: RunDirectory) -> None:
    run = make_run()
    events = train(run)
    first = next(index for index, event in enumerate(events) if isinstance(event, PreviewReady))
    assert of(StepFinished, events[:first])
    assert_same_outcome(run, uninterrupted)


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    "condition",
    [
        lambda event: isinstance(event, StepFinished) and event.step in (1, 9),
        lambda event: isinstance(event, EpochFinished),
        lambda event: isinstance(event, PreviewReady) and event.epoch == 1,
    ],
    ids=["meanwhile", "before", "after"],
)
def test_a_cancel_loses_none(
    make_run: MakeRun, uninterrupted: RunDirectory, condition: Callable[[RunEvent], bool]
) -> None:
    run = make_run()
    for _ in range(4):
        control = Control(run.requests)
        if end(train(run, cancel_when(control, condition), control)).state == "finished":
            break
    else:
        train(run)
    assert_same_outcome(run, uninterrupted)


@pytest.mark.usefixtures("beside")
def test_a_disk_that_takes_none_is_told(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_wav(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.training.preview.write_wav", write_wav)
    run = make_run()
    assert end(train(run)).state == "finished"
    told = [each.message for each in of(Warned, logged(run)) if each.kind == "preview"]
    assert told[0] == (
        "The previews of epoch 0 could not be written (No space left on device); free some space."
    )
