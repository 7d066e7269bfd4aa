"""Previews of a best epoch that is none of the preview interval's."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.engine import EngineEvent, Runner
from core.events import EpochFinished, PreviewReady, RunState
from core.runs import RunDirectory, summarise
from core.synthesis.best_previews import add_best_previews
from core.synthesis.rerender import rerender
from tests.conftest import MakeRun
from tests.training import logged, of


def between(run: RunDirectory) -> RunDirectory:
    """Make the log look as if the best epoch, the last of these runs, were none that has previews."""
    best = of(EpochFinished, logged(run))[-1].best_epoch
    lines = run.events.read_text().splitlines(keepends=True)
    run.events.write_text("".join(line for line in lines if f'"previews/epoch-{best:04}-' not in line))
    for file in run.previews.glob(f"epoch-{best:04}-*"):
        file.unlink()
    return run


@pytest.fixture
def run(uninterrupted: RunDirectory, tmp_path: Path) -> RunDirectory:
    return between(RunDirectory(Path(shutil.copytree(uninterrupted.path, tmp_path / "run"))))


def test_they_are_those_that_training_would_have_rendered(
    run: RunDirectory, uninterrupted: RunDirectory
) -> None:
    made = add_best_previews(run, "cpu", lambda: False)
    expected = [each for each in of(PreviewReady, logged(uninterrupted)) if each.epoch == made[0].epoch]
    assert made == expected
    assert len(made) == 2
    assert made[1].around.startswith("tone-")
    for name in {path.name for path in uninterrupted.previews.iterdir()}:
        assert (run.previews / name).read_bytes() == (uninterrupted.previews / name).read_bytes(), name
    assert of(PreviewReady, logged(run))[-2:] == expected
    assert summarise(run).state is RunState.FINISHED
    assert add_best_previews(run, "cpu", lambda: False) == []


def test_a_run_that_is_trained_is_left_alone(run: RunDirectory) -> None:
    before = run.events.read_bytes()
    run.lock.acquire()
    try:
        assert add_best_previews(run, "cpu", lambda: False) == []
    finally:
        run.lock.release()
    assert run.events.read_bytes() == before


def test_render_adds_them_and_says_nothing_of_a_model_that_is_gone(run: RunDirectory) -> None:
    best = of(EpochFinished, logged(run))[-1].best_epoch
    model = run.checkpoints / "best.pt"
    moved = model.rename(run.path / "aside")
    model.write_bytes(b"damaged")
    assert best not in {each.epoch for each in of(PreviewReady, logged(run))}
    assert all(f"{best:04}" not in each.path for each in rerender(run, "fast", None, "cpu", lambda: False))
    moved.rename(model)
    assert any(f"{best:04}" in each.path for each in rerender(run, "fast", None, "cpu", lambda: False))


@pytest.mark.slow
def test_a_run_that_was_cancelled_or_ended_has_previews_of_its_best_epoch(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a high learning rate the first epochs are the best; previews come with epochs 0 and 3."""
    run = make_run(epochs=3, preview_interval=3, learning_rate=0.01)
    events: list[EngineEvent] = []
    monkeypatch.setattr("core.training.previews.BESIDE", set())  # those of epoch 0 come before the cancel

    def listen(event: EngineEvent) -> None:
        events.append(event)
        if isinstance(event, EpochFinished) and event.epoch == 1:
            runner.cancel()

    runner = Runner(listen)

    def previewed() -> set[int]:
        return {event.epoch for event in events if isinstance(event, PreviewReady)}

    runner.train(run, "cpu")
    wait_for(lambda: 1 in previewed())
    assert previewed() == {each.epoch for each in of(PreviewReady, logged(run))}
    assert summarise(run).state is RunState.CANCELLED
    runner.train(run, "cpu")
    assert runner.wait(120)
    assert summarise(run).state is RunState.FINISHED
    best = of(EpochFinished, logged(run))[-1].best_epoch
    assert best in (1, 2), "else this tests nothing"
    previews = [each.path for each in of(PreviewReady, logged(run))]
    assert f"previews/epoch-{best:04}-reconstruction.wav" in previews
    assert len(previews) == len(set(previews))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
