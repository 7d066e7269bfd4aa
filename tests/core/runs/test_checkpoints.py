"""What a user calls a run or one of its checkpoints, and how those are listed."""

from pathlib import Path

import pytest

from core.errors import CheckpointNotFoundError, RunNotFoundError
from core.events import CheckpointSaved
from core.runs import choose_checkpoint, describe_checkpoints, find_target, suggest_branch_name
from tests.conftest import MakeRun
from tests.sda_tui.driving import an_epoch

NAMES = (
    "step-000000008.pt",
    "step-000000016.pt",
    "step-000000012-saved.pt",
    "step-000000004-saved.pt",
    "best.pt",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (*NAMES, "step-000000024.damaged", "notes.pt"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("which", "name"),
    [
        ("best", "best.pt"),
        ("newest", "step-000000016.pt"),
        ("saved", "step-000000012-saved.pt"),
        ("8", "step-000000008.pt"),
        (4, "step-000000004-saved.pt"),
        ("notes.pt", "notes.pt"),
    ],
)
def test_checkpoints_are_found_by_what_users_call_them(folder: Path, which: str | int, name: str) -> None:
    assert choose_checkpoint(folder, which) == folder / name


def test_a_checkpoint_elsewhere_is_found_by_its_path(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pt"
    copy.touch()
    assert choose_checkpoint(folder, str(copy)) == copy


@pytest.mark.parametrize("which", ["5", "oldest", "", "9" * 5000, "gone.pt", "a\0b", "-8"])
def test_an_unknown_checkpoint_is_refused_with_those_that_there_are(folder: Path, which: str) -> None:
    with pytest.raises(CheckpointNotFoundError, match="there are newest, best, saved, 16, 12, 8, 4"):
        choose_checkpoint(folder, which)


def test_best_is_not_offered_where_there_is_none(folder: Path) -> None:
    (folder / "best.pt").unlink()
    with pytest.raises(CheckpointNotFoundError, match="there are newest, saved, 16"):
        choose_checkpoint(folder, "best")


def test_a_path_to_a_checkpoint_names_its_run(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("drums")
    checkpoint = run.checkpoints / "best.pt"
    checkpoint.touch()
    (run.path / "notes.pt").touch()
    loose = tmp_path / "loose.pt"
    loose.touch()
    assert find_target(str(checkpoint), tmp_path).run.path == run.path
    assert find_target(str(checkpoint), tmp_path).checkpoint == checkpoint
    assert find_target("drums/checkpoints/best.pt", tmp_path / "runs").checkpoint == checkpoint
    assert find_target("drums", tmp_path / "runs").checkpoint is None
    for path in (loose, run.run_file, run.checkpoints / "gone.pt"):
        with pytest.raises(RunNotFoundError):
            find_target(str(path), tmp_path)


def test_a_list_of_checkpoints_has_what_the_log_says(folder: Path) -> None:
    events = [
        an_epoch(1, best_epoch=1, gap=0.0),
        CheckpointSaved(1, 6, "checkpoints/best.pt", "best", 1),
        CheckpointSaved(1, 8, "checkpoints/step-000000008.pt", "interval", 1),
        CheckpointSaved(3, 16, "checkpoints/step-000000016.pt", "finished", 1),
    ]
    found = [
        (each.path.name, each.step, each.epoch, each.validation_loss, each.reason)
        for each in describe_checkpoints(folder, events)
    ]
    assert found == [
        ("best.pt", 6, 1, 0.3, "best"),
        ("step-000000016.pt", 16, 3, None, "finished"),
        ("step-000000012-saved.pt", 12, None, None, ""),
        ("step-000000008.pt", 8, 1, 0.3, "interval"),
        ("step-000000004-saved.pt", 4, None, None, ""),
    ]


def test_a_checkpoint_amid_bad_steps_is_not_called_saved_by_hand(folder: Path) -> None:
    (folder / "step-000000020-unsteady.pt").touch()
    saved = [each.path.name for each in describe_checkpoints(folder, []) if each.is_saved_by_hand]
    assert saved == ["step-000000012-saved.pt", "step-000000004-saved.pt"]


def test_a_branch_is_named_after_its_run(make_run: MakeRun) -> None:
    run = make_run("drums-001")
    make_run("drums-002")
    assert suggest_branch_name(run) == "drums-003"
    assert suggest_branch_name(make_run("kicks")) == "kicks-001"
