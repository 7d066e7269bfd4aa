"""The checkpoints of a run: which are kept, and which go."""

import logging
from pathlib import Path

import pytest

from core.checkpoints.folder import CheckpointFolder
from core.runs.checkpoints import CheckpointKind


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path)


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def test_the_three_newest_the_best_and_those_saved_by_hand_are_kept(folder: CheckpointFolder) -> None:
    folder.save(b"1", 1, CheckpointKind.BY_HAND)
    folder.save_best(b"2")
    for step in range(2, 8):
        folder.save(b"", step)
    assert names(folder) == [
        "best.pt",
        "step-000000001-saved.pt",
        "step-000000005.pt",
        "step-000000006.pt",
        "step-000000007.pt",
    ]


def test_an_unsteady_one_takes_no_place_and_goes_with_the_next(folder: CheckpointFolder) -> None:
    for step in (1, 2, 3):
        folder.save(b"", step)
    folder.save(b"", 4, CheckpointKind.UNSTEADY)
    steady = ["step-000000001.pt", "step-000000002.pt", "step-000000003.pt"]
    assert names(folder) == [*steady, "step-000000004-unsteady.pt"]
    assert [path.name for path in folder.by_age()] == names(folder)[::-1]
    assert [path.name for path in folder.steady()] == steady[::-1]
    folder.save(b"", 5)
    assert names(folder) == [*steady[1:], "step-000000005.pt"]


def test_one_that_was_just_written_stays_whatever_else_there_is(folder: CheckpointFolder) -> None:
    for step in (10, 11, 12, 2):
        folder.save(b"", step)
    assert "step-000000002.pt" in names(folder)


def test_other_files_are_left_alone(folder: CheckpointFolder) -> None:
    others = {"notes.txt", "step-x.pt", "model.pt", ".step-000000009.pt.1.tmp", "step-000000000.unusable"}
    for name in others:
        (folder.path / name).write_text("mine")
    for step in range(5):
        folder.save(b"", step)
    assert others <= set(names(folder))


def test_a_deleted_folder_is_made_again_but_not_that_of_a_moved_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    CheckpointFolder(run / "checkpoints").save(b"", 1)
    assert (run / "checkpoints" / "step-000000001.pt").exists()
    run.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        CheckpointFolder(run / "checkpoints").save(b"", 2)
    assert not run.exists()


def test_a_delete_that_fails_harms_nothing(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("core.checkpoints.folder.remove", refuse)
    monkeypatch.setattr(logging.getLogger("core"), "propagate", True)  # not after a run in this process
    for step in range(5):
        folder.save(b"", step)
    assert folder.by_age()[0].name == "step-000000004.pt"
    assert "Cannot delete the old checkpoint step-000000000.pt: Permission denied" in caplog.text


def test_a_write_that_fails_leaves_what_was_there(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(b"", 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save(b"", 2)
    assert names(folder) == ["step-000000001.pt"]
