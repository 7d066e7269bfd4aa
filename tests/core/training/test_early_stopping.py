"""A run that ends before its last epoch, as validation has long had no new best."""

import shutil
from pathlib import Path

import pytest

from core.errors import RunStoppedError
from core.events import EpochFinished, PreviewReady, RunState, StateChanged
from core.runs import RunDirectory, summarise
from core.training.branch import branch
from tests.conftest import MakeRun, create_run, write_tones
from tests.training import assert_same_outcome, end, logged, newest_state, of, train, train_to

pytestmark = pytest.mark.slow

# Steps so large that the first epoch is the best of the first seven.
GETS_WORSE = {"epochs": 8, "learning_rate": 0.01, "learning_rate_warmup_fraction": 0.0, "preview_interval": 5}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that stopped early, which is not to change."""
    folder = tmp_path_factory.mktemp("stopped")
    run = create_run(folder, "run", write_tones(folder / "sounds"), {**GETS_WORSE, "early_stopping": 2})
    train(run)
    return run


def copy_of(run: RunDirectory, folder: Path) -> RunDirectory:
    shutil.copytree(run.path, folder / run.name)
    return RunDirectory(folder / run.name)


def test_a_run_stops_when_it_had_no_new_best_for_long(stopped: RunDirectory) -> None:
    events = logged(stopped)
    *_, last = of(EpochFinished, events)
    assert last.epoch - last.best_epoch == 2
    assert last.epoch < 8
    message = f"Stopped at epoch {last.epoch}: no better epoch since {last.best_epoch}."
    manifest = stopped.read_manifest()
    step = last.epoch * manifest.steps_per_epoch
    assert end(events) == StateChanged("finished", step, last.epoch, manifest.total_steps, 8, message)
    assert newest_state(stopped)["step"] == step
    assert last.epoch in {each.epoch for each in of(PreviewReady, events)}
    assert message in stopped.log.read_text()
    assert summarise(stopped).message == message


def test_a_stopped_run_resumes_only_with_another_setting(stopped: RunDirectory, tmp_path: Path) -> None:
    summary = summarise(stopped)
    assert summary.state is RunState.FINISHED
    for values in ({}, {"epochs": 20}, {"early_stopping": 1}):
        with pytest.raises(RunStoppedError, match=r"as early_stopping is \d and no epoch since"):
            summary.continued(values)
    assert summary.continued({"early_stopping": 0}).config.early_stopping == 0
    assert summary.continued({"early_stopping": 3}).config.early_stopping == 3
    assert summary.continued({"free_bits": 0.1}), "losses are others then, so none is the best"
    with pytest.raises(RunStoppedError):
        branch(stopped, max(stopped.checkpoints.glob("step-*.pt")), "again", {})
    assert not (stopped.path.parent / "again").exists()
    run = copy_of(stopped, tmp_path)
    run.change(summary.continued({"early_stopping": 3}))
    events = train(run)
    assert end(events).epoch == summary.epoch + 1
    assert end(events).message.startswith(f"Stopped at epoch {summary.epoch + 1}:")


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(
    stopped: RunDirectory, make_run: MakeRun
) -> None:
    run = make_run(**GETS_WORSE, early_stopping=2)
    train_to(run, 11)
    train(run)
    assert_same_outcome(run, stopped)
    assert end(logged(run)) == end(logged(stopped))


def test_a_run_that_died_before_it_saved_its_stop_ends_there_too(
    stopped: RunDirectory, tmp_path: Path
) -> None:
    run = copy_of(stopped, tmp_path)
    lines = run.events.read_text().splitlines(keepends=True)
    run.events.write_text("".join(lines[:-1]))
    assert summarise(run).state is RunState.INTERRUPTED
    assert end(train(run)) == end(logged(stopped))
