"""Going back to an earlier checkpoint, in a new run or in the run itself."""

import re
import shutil
from pathlib import Path

import pytest

from core.checkpoints.archive import read_checkpoint
from core.checkpoints.folder import CheckpointFolder
from core.errors import CheckpointError, ConfigError, NameTakenError, RunError, RunFinishedError
from core.events import CheckpointSaved, EpochFinished, PreviewReady, RunState, StepFinished
from core.runs import RunDirectory, summarise
from core.training.branch import branch, rewind
from core.training.control import Control
from tests.conftest import MakeRun, create_run, file_size_limit, write_tones
from tests.training import assert_same_outcome, end, hold_previews, logged, newest_state, of, train, train_to


@pytest.fixture
def finished(uninterrupted: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A finished run of two epochs of eight steps, to do with as one likes."""
    return RunDirectory(Path(shutil.copytree(uninterrupted.path, tmp_path / "runs" / "drums-001")))


def contents(run: RunDirectory) -> dict[str, bytes]:
    return {
        str(path.relative_to(run.path)): path.read_bytes() for path in run.path.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("step", [0, 8])
def test_a_branch_trains_to_the_same_end_and_its_run_stays_as_it_is(
    finished: RunDirectory, step: int
) -> None:
    before = contents(finished)
    made = branch(finished, finished.checkpoints / f"step-{step:09}.pt", "drums-002", {})
    assert summarise(made).state is RunState.CANCELLED
    assert [each.step for each in of(StepFinished, logged(made))] == list(range(1, step + 1))
    assert end(train(made)).state == "finished"
    assert_same_outcome(made, finished)
    assert contents(finished) == before


def test_a_branch_from_best_is_whole(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its optimiser, its previews, also those that were being rendered when best.pt was made."""
    run = make_run("drums-001", epochs=3, checkpoint_interval=2)
    hold_previews(monkeypatch, epoch=0)
    monkeypatch.setattr("tests.training.PATIENCE_S", 2.0)
    train(run)
    best = read_checkpoint(run.checkpoints / "best.pt")
    assert best["step"] == 8  # while those of epoch 0 were pending
    made = branch(run, run.checkpoints / "best.pt", "drums-002", {})
    previewed = {each.epoch for each in of(PreviewReady, logged(made))}
    assert previewed == set(range(best["epoch"]))
    assert all((made.path / each.path).exists() for each in of(PreviewReady, logged(made)))
    assert end(train(made)).state == "finished"
    assert_same_outcome(made, run)


def test_a_branch_says_where_it_comes_from(finished: RunDirectory) -> None:
    made = branch(finished, finished.checkpoints / "step-000000008.pt", "drums-002", {"dropout": 0.5})
    parent = made.read_manifest().parent
    assert parent is not None
    assert (parent.run, parent.checkpoint, parent.step) == ("drums-001", "step-000000008.pt", 8)
    assert made.read_manifest().config.dropout == 0.5
    assert finished.read_manifest().parent is None


@pytest.fixture(scope="module")
def improved(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run of two epochs, of which the second was better for held-out tones; not to be changed."""
    folder = tmp_path_factory.mktemp("improved")
    run = create_run(folder, "drums-001", write_tones(folder / "sounds"), {"seed": 3})
    train(run)
    return run


@pytest.fixture
def improving(improved: RunDirectory, tmp_path: Path) -> RunDirectory:
    """The same, to do with as one likes."""
    return RunDirectory(Path(shutil.copytree(improved.path, tmp_path / "runs" / "drums-001")))


def test_a_branch_has_best_only_from_before_it(improving: RunDirectory) -> None:
    assert read_checkpoint(improving.checkpoints / "best.pt")["step"] == 16
    early = branch(improving, improving.checkpoints / "step-000000008.pt", "early", {})
    assert not (early.checkpoints / "best.pt").exists()
    late = branch(improving, improving.checkpoints / "best.pt", "late", {"epochs": 3})
    assert read_checkpoint(late.checkpoints / "best.pt")["step"] == 16


def test_a_rewound_run_ends_as_a_branch_does(improving: RunDirectory) -> None:
    made = branch(improving, improving.checkpoints / "step-000000008.pt", "drums-002", {"dropout": 0.6})
    train(made)
    rewound = rewind(improving, improving.checkpoints / "step-000000008.pt", {"dropout": 0.6})
    assert (rewound.step, rewound.count) == (8, 2)  # step 16 and best
    assert summarise(improving).state is RunState.CANCELLED
    assert summarise(improving).step == 8
    train(improving)
    assert_same_outcome(improving, made)


def test_rewinding_sets_newer_checkpoints_and_the_log_aside(make_run: MakeRun) -> None:
    run = make_run(epochs=3)
    control = Control(run.requests)

    def save(event: object) -> None:
        if isinstance(event, StepFinished) and event.step == 11:
            control.save()

    train(run, save, control)
    log = run.events.read_bytes()
    newer = {name: data for name, data in contents(run).items() if re.search(r"(16|24|11-saved)\.pt", name)}
    rewound = rewind(run, run.checkpoints / "step-000000008.pt", {})
    assert rewound.aside == run.path / "rewound-001"
    assert rewound.count == len(newer) == 3
    aside = {path.name: path.read_bytes() for path in rewound.aside.iterdir()}
    assert aside == {"events.jsonl": log, **{Path(name).name: data for name, data in newer.items()}}
    assert newest_state(run)["step"] == 8
    back = branch(run, rewound.aside / "step-000000016.pt", "back", {})
    assert [each.epoch for each in of(EpochFinished, logged(back))] == [1, 2]


def test_rewinding_to_the_newest_checkpoint_sets_nothing_aside(make_run: MakeRun) -> None:
    run = make_run()
    train_to(run, 11)
    assert rewind(run, run.checkpoints / "step-000000011.pt", {}).aside is None


def test_a_rewound_run_can_go_forward_again(make_run: MakeRun) -> None:
    """What happened after the first return is set aside in its turn; log and best are those of the first."""
    run = make_run(epochs=3)
    train(run)
    log, best = logged(run), read_checkpoint(run.checkpoints / "best.pt")
    first = rewind(run, run.checkpoints / "step-000000008.pt", {"dropout": 0.6})
    assert first.aside is not None
    train_to(run, 11)
    between = run.events.read_bytes()
    second = rewind(run, first.aside / "step-000000016.pt", {})
    assert second.aside == run.path / "rewound-002"
    assert (second.aside / "events.jsonl").read_bytes() == between
    assert of(StepFinished, logged(run)) == of(StepFinished, log)[:16]
    if best["step"] <= 16:
        assert read_checkpoint(run.checkpoints / "best.pt")["step"] == best["step"]
    assert (summarise(run).step, summarise(run).state) == (16, RunState.CANCELLED)


def test_the_size_of_a_run_includes_what_was_set_aside(finished: RunDirectory) -> None:
    before = summarise(finished).size_bytes
    assert before == sum(map(len, contents(finished).values()))
    aside = rewind(finished, finished.checkpoints / "step-000000008.pt", {}).aside
    assert aside is not None
    assert summarise(finished).size_bytes == sum(map(len, contents(finished).values()))
    assert finished.used_bytes() == summarise(finished).size_bytes - sum(
        path.stat().st_size for path in aside.iterdir()
    )


def test_a_rewound_run_can_go_to_best_which_is_no_step(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    run = make_run(epochs=3)
    train(run)
    best = read_checkpoint(run.checkpoints / "best.pt")
    rewind(run, run.checkpoints / "best.pt", {"epochs": 4})
    assert newest_state(run)["step"] == best["step"]
    assert end(train(run)).state == "finished"


def test_a_run_that_is_trained_is_branched_but_not_rewound(finished: RunDirectory) -> None:
    other = RunDirectory(finished.path)
    other.lock.acquire()
    try:
        before = contents(finished)
        with pytest.raises(RunError, match="is being trained by"):
            rewind(finished, finished.checkpoints / "step-000000008.pt", {})
        assert contents(finished) == before
        branch(finished, finished.checkpoints / "step-000000008.pt", "drums-002", {})
    finally:
        other.lock.release()


def test_nothing_is_left_to_train_from_the_last_step(finished: RunDirectory) -> None:
    newest = finished.checkpoints / "step-000000016.pt"
    with pytest.raises(RunFinishedError, match="has finished its 2 epochs"):
        branch(finished, newest, "drums-002", {})
    with pytest.raises(RunFinishedError):
        rewind(finished, newest, {})
    assert branch(finished, newest, "drums-002", {"epochs": 3}).read_manifest().config.epochs == 3


def test_a_branch_refuses_what_cannot_change(finished: RunDirectory) -> None:
    checkpoint = finished.checkpoints / "step-000000008.pt"
    with pytest.raises(ConfigError, match="latent_dim is fixed"):
        branch(finished, checkpoint, "drums-002", {"latent_dim": 8})
    with pytest.raises(NameTakenError):
        branch(finished, checkpoint, "drums-001", {})
    assert [path.name for path in finished.path.parent.iterdir()] == ["drums-001"]


def test_a_checkpoint_of_another_run_on_the_same_sounds_is_taken(
    make_run: MakeRun, finished: RunDirectory
) -> None:
    """The branch has the log of the run that the checkpoint is of, and the settings of the one named."""
    other = make_run("other", epochs=3)
    made = branch(other, finished.checkpoints / "step-000000008.pt", "made", {})
    assert made.read_manifest().parent.run == "drums-001"  # type: ignore[union-attr]
    assert made.read_manifest().config.epochs == 3
    assert [each.step for each in of(StepFinished, logged(made))] == list(range(1, 9))
    with pytest.raises(RunError, match="is of drums-001; make a new run from it"):
        rewind(other, finished.checkpoints / "step-000000008.pt", {})


def test_a_copy_of_a_checkpoint_in_another_folder_is_taken(finished: RunDirectory, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.pt"
    shutil.copy(finished.checkpoints / "step-000000008.pt", copy)
    made = branch(finished, copy, "drums-002", {})
    train(made)
    assert_same_outcome(made, finished)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"latent_dim": 8}, "its latent_dim is 8, not 4"), ({"seed": 3}, "its seed is 3, not 0")],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_the_reason(
    make_run: MakeRun, finished: RunDirectory, settings: dict[str, int], reason: str
) -> None:
    other = make_run("other", **settings)
    train_to(other, 2)
    loose = finished.path.parent / "loose.pt"
    shutil.copy(other.checkpoints / "step-000000002.pt", loose)
    with pytest.raises(CheckpointError, match=f"does not fit drums-001: {reason}"):
        branch(finished, other.checkpoints / "step-000000002.pt", "made", {})
    with pytest.raises(CheckpointError, match=f"does not fit drums-001: {reason}"):
        rewind(finished, loose, {})
    assert not (finished.path.parent / "made").exists()


def test_a_checkpoint_of_other_sounds_is_refused(make_run: MakeRun, finished: RunDirectory) -> None:
    sounds = write_tones(finished.path.parent / "sounds")
    (sounds / "tone-0.wav").unlink()
    other = make_run("other", folder=sounds)
    train_to(other, 2)
    with pytest.raises(CheckpointError, match="of a run on other sounds"):
        branch(finished, other.checkpoints / "step-000000002.pt", "made", {})


def test_a_damaged_checkpoint_is_refused_by_name(finished: RunDirectory) -> None:
    checkpoint = finished.checkpoints / "step-000000008.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    before = contents(finished)
    with pytest.raises(CheckpointError, match=r"step-000000008\.pt is damaged"):
        branch(finished, checkpoint, "made", {})
    with pytest.raises(CheckpointError, match=r"step-000000008\.pt is damaged"):
        rewind(finished, checkpoint, {})
    assert contents(finished) == before


def test_a_branch_that_finds_no_space_leaves_nothing(finished: RunDirectory) -> None:
    size_bytes = (finished.checkpoints / "step-000000008.pt").stat().st_size
    with (
        file_size_limit(size_bytes - 1),
        pytest.raises(RunError, match=r"cannot be copied .*raise the limit"),
    ):
        branch(finished, finished.checkpoints / "step-000000008.pt", "drums-002", {})
    assert [path.name for path in finished.path.parent.iterdir()] == ["drums-001"]


def test_the_log_of_a_branch_names_its_own_checkpoints(finished: RunDirectory) -> None:
    made = branch(finished, finished.checkpoints / "step-000000008.pt", "drums-002", {})
    assert {each.step for each in of(CheckpointSaved, logged(made))} == {0, 8}


def test_an_unsteady_checkpoint_stays_unsteady(finished: RunDirectory) -> None:
    """A run that begins there, or is back there, has nothing that it could return to amid bad steps."""
    unsteady = finished.checkpoints / "step-000000008-unsteady.pt"
    (finished.checkpoints / "step-000000008.pt").rename(unsteady)
    made = branch(finished, unsteady, "unsteady", {})
    assert [path.name for path in CheckpointFolder(made.checkpoints).by_age()] == [unsteady.name]
    rewind(finished, unsteady, {})
    assert CheckpointFolder(finished.checkpoints).by_age()[0] == unsteady
