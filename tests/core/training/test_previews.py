"""Previews that are rendered beside the training, or at once."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from core.events import EpochFinished, PreviewReady, RunEvent, StepFinished, Warned
from core.runs import RunDirectory
from core.synthesis import previews as preview_module
from core.synthesis.previews import PreviewRenderer
from core.training.control import Control
from core.training.step import TrainingStep
from tests.conftest import MakeRun
from tests.training import (
    assert_same_outcome,
    cancel_when,
    end,
    hold_previews,
    logged,
    newest_state,
    of,
    poison,
    train,
    train_to,
)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it take longer than a few steps."""
    real = PreviewRenderer.render

    def render(self: PreviewRenderer, *arguments: Any) -> Iterator[PreviewReady]:
        time.sleep(0.2)
        return real(self, *arguments)

    monkeypatch.setattr(PreviewRenderer, "render", render)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.previews.BESIDE", set())


@pytest.mark.usefixtures("at_once")
def test_previews_rendered_at_once_are_the_same(make_run: MakeRun, uninterrupted: RunDirectory) -> None:
    run = make_run()
    events = train(run)
    assert [each.epoch for each in of(PreviewReady, events[: events.index(of(StepFinished, events)[0])])]
    assert_same_outcome(run, uninterrupted)


@pytest.mark.usefixtures("beside")
def test_steps_continue_beside_previews_and_nothing_changes(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
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
def test_cancel_loses_no_preview(
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


@pytest.mark.parametrize("step", [2, 16], ids=["first", "last"])
def test_cancel_does_not_wait_for_previews_which_follow_on_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, uninterrupted: RunDirectory, step: int
) -> None:
    """Also where all steps are done."""
    run = make_run()
    with monkeypatch.context() as patch:
        hold_previews(patch, step // 8)
        assert end(train_to(run, step)).state == "cancelled"
    assert step // 8 not in {each.epoch for each in of(PreviewReady, logged(run))}
    assert end(train(run)).state == "finished"
    assert_same_outcome(run, uninterrupted)


@pytest.mark.usefixtures("beside")
def test_checkpoint_with_pending_previews_is_rolled_back_to(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash, and after ten bad steps."""
    usual, run = make_run("usual", epochs=3), make_run(epochs=3, checkpoint_interval=100)
    train(usual)
    control = Control(run.requests)
    listen = cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == 2)
    with monkeypatch.context() as patch:
        hold_previews(patch, 0)
        train(run, listen, control)
    assert newest_state(run)["previews"]["pending"]["epoch"] == 0
    poison(monkeypatch, lambda call: 8 <= call <= 17)  # then the run is back at step 2
    events = train(run)
    assert any("back at step 2" in each.message for each in of(Warned, events))
    rendered = [(each.epoch, each.label) for each in of(PreviewReady, events)]
    assert {epoch for epoch, _ in rendered} == {0, 1, 2, 3}
    assert len(rendered) == len(set(rendered))
    assert wavs_of(run, 0) == wavs_of(usual, 0)


def wavs_of(run: RunDirectory, epoch: int) -> list[bytes]:
    return [path.read_bytes() for path in sorted(run.previews.glob(f"epoch-{epoch:04}-*.wav"))]


@pytest.mark.usefixtures("beside")
def test_previews_of_steps_that_were_rolled_back_are_not_emitted(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(
        monkeypatch, lambda call: 17 <= call <= 26
    )  # then the run is back at step 8, before an epoch's end
    run = make_run(epochs=4, checkpoint_interval=1, preview_interval=1)
    events = train(run)
    rendered = [(each.epoch, each.label) for each in of(PreviewReady, events)]
    assert {epoch for epoch, _ in rendered} == {0, 1, 2, 3, 4}
    assert len(rendered) == len(set(rendered))


def write_no_more_than(monkeypatch: pytest.MonkeyPatch, count: int, error: Exception) -> None:
    real = preview_module.write_wav
    written: list[Any] = []

    def write_wav(*arguments: Any) -> None:
        if len(written) == count:
            raise error
        written.append(arguments)
        real(*arguments)

    monkeypatch.setattr(preview_module, "write_wav", write_wav)


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["beside", "at_once"])
def test_previews_that_a_full_disk_refuses_are_warned_of(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, where: str
) -> None:
    request.getfixturevalue(where)
    write_no_more_than(monkeypatch, 2, NO_SPACE)
    run = make_run()
    events = train(run)
    assert end(events).state == "failed"  # until they are made
    assert of(PreviewReady, events) == []  # those that were written are listed with the others
    messages = [each.message for each in of(Warned, events) if each.kind == "preview"]
    assert messages[0] == (
        "The previews of epoch 0 could not be written (No space left on device); free some space."
    )


@pytest.mark.usefixtures("beside")
def test_lack_of_memory_for_previews_is_warned_of(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    write_no_more_than(monkeypatch, 0, torch.OutOfMemoryError("out of memory"))
    events = train(make_run())
    assert end(events).state == "finished"
    messages = [each.message for each in of(Warned, events) if each.kind == "preview"]
    assert messages[0].startswith(
        "The previews of epoch 0 found too little memory on the device; choose fewer"
    )


@pytest.mark.usefixtures("beside")
def test_step_without_memory_first_waits_for_previews(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, uninterrupted: RunDirectory
) -> None:
    real = TrainingStep.__call__
    calls = []

    def step(self: TrainingStep, *arguments: Any) -> torch.Tensor:
        calls.append(arguments)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, *arguments)

    monkeypatch.setattr(TrainingStep, "__call__", step)
    run = make_run()
    assert not [each for each in of(Warned, train(run)) if each.kind == "memory"]
    assert_same_outcome(run, uninterrupted)
