"""Training in tests: to the end or to a step, what it left, and whether two runs left the same."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints.archive import State, read_checkpoint
from core.events import EpochFinished, PreviewReady, RunEvent, StateChanged, StepFinished, from_json
from core.model import losses as losses_module
from core.runs import RunDirectory, RunHistory
from core.synthesis.bundle import ModelBundle
from core.synthesis.previews import PreviewRenderer
from core.training.control import Control
from core.training.run import train_run
from core.training.task import SetUp
from core.training.vae_task import VaeTask

PATIENCE_S = 20.0

Listener = Callable[[RunEvent], None]


def train(
    run: RunDirectory,
    listener: Listener = lambda _: None,
    control: Control | None = None,
    device: str = "cpu",
    set_up: SetUp = VaeTask.set_up,
) -> list[RunEvent]:
    """Train to the end or until the listener cancels; what the log holds then."""
    train_run(run, device, control or Control(run.requests), listener, set_up)
    return logged(run)


def train_to(
    run: RunDirectory, step: int, device: str = "cpu", set_up: SetUp = VaeTask.set_up
) -> list[RunEvent]:
    """Train until this step is done, then cancel."""
    control = Control(run.requests)
    return train(
        run,
        cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == step),
        control,
        device,
        set_up,
    )


def cancel_when(control: Control, condition: Callable[[RunEvent], bool]) -> Listener:
    def listen(event: RunEvent) -> None:
        if condition(event):
            control.cancel()

    return listen


def wait_for(path: Path) -> None:
    """Wait until another thread has written this file."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not path.exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)


def hold_previews(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Let the previews of this epoch not be ready before they are unwanted, for as long as anybody waits."""
    real = PreviewRenderer.render

    def render(
        self: PreviewRenderer, bundle: ModelBundle, of_epoch: int, *rest: Any
    ) -> Iterator[PreviewReady]:
        *_, cancelled = rest
        deadline_s = time.monotonic() + PATIENCE_S
        while of_epoch == epoch and not cancelled() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        yield from real(self, bundle, of_epoch, *rest)

    monkeypatch.setattr(PreviewRenderer, "render", render)


def poison(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[int], bool]) -> None:
    """Make the loss of some steps not a number, as the n-th call since the start."""
    calls = 0
    real = losses_module.losses

    def losses(kind: str, squared_error: torch.Tensor, *rest: object) -> losses_module.Losses:
        nonlocal calls
        calls += 1
        return real(kind, squared_error * (float("nan") if is_bad(calls) else 1.0), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("core.training.vae_task.losses", losses)


def end(events: list[RunEvent]) -> StateChanged:
    (*_, last) = of(StateChanged, events)
    assert events[-1] is last
    return last


def history(run: RunDirectory) -> RunHistory:
    found = RunHistory()
    for event in logged(run):
        found.apply(event, 0.0)
    return found


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    return newest_state(run)["model"]


def checkpoint_names(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.checkpoints.iterdir())


def log_lines(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def logged(run: RunDirectory) -> list[RunEvent]:
    lines = run.events.read_text(encoding="utf-8").splitlines()
    events = [from_json(line) for line in lines]
    assert None not in events
    return [event for each in events if each is not None for event in each[:1]]


def of(kind: type[RunEvent], events: list[RunEvent]) -> list:
    return [event for event in events if isinstance(event, kind)]


def newest_state(run: RunDirectory) -> State:
    return read_checkpoint(max(run.checkpoints.glob("step-*.pt")))


def assert_same_outcome(run: RunDirectory, other: RunDirectory) -> None:
    """Equal weights, optimiser, losses and previews, bit for bit; no step missing, none twice."""
    state, expected = newest_state(run), newest_state(other)
    assert state["step"] == expected["step"]
    assert _same(state["model"], expected["model"])
    assert _same(state["ema_model"], expected["ema_model"])
    assert _same(state["optimizer"], expected["optimizer"])
    assert _numbers(run) == _numbers(other)
    assert _wavs(run) == _wavs(other)


def _same(mine: object, theirs: object) -> bool:
    if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
        return np.array_equal(mine.numpy(), theirs.numpy(), equal_nan=True)
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(_same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    return mine == theirs


def _numbers(run: RunDirectory) -> list[tuple[object, ...]]:
    events = logged(run)
    steps = [
        (each.step, each.epoch, each.train_loss, each.learning_rate) for each in of(StepFinished, events)
    ]
    epochs = [(each.epoch, each.validation_loss, each.train_error) for each in of(EpochFinished, events)]
    previews = [(each.path, each.envelope) for each in of(PreviewReady, events)]
    return [*steps, *epochs, *previews]


def _wavs(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: Path(path).read_bytes() for path in run.previews.glob("*.wav")}
