"""Stars and notes, another name, and the end of a run."""

from pathlib import Path

import pytest

from core.errors import NameTakenError, RunError, RunNameError
from core.runs import RunLabels, RunQueue, delete_run, rename_run
from tests.conftest import MakeRun


def test_stars_and_notes_are_kept_in_the_run(make_run: MakeRun) -> None:
    run = make_run()
    assert RunLabels.read(run) == RunLabels()
    RunLabels(is_starred=True, note="  best\n[kick] \x1b[31m so far ").write(run)
    assert RunLabels.read(run) == RunLabels(True, "best [kick] �[31m so far")
    RunLabels(note="x" * 9999).write(run)
    assert len(RunLabels.read(run).note) == 500


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"starred": "yes", "note": 3}', '{"note": "a\\u0000"}'])
def test_damaged_labels_are_none_and_can_be_written_again(make_run: MakeRun, content: str) -> None:
    run = make_run()
    run.labels.write_text(content)
    assert RunLabels.read(run) in (RunLabels(), RunLabels(note="a�"))
    RunLabels(is_starred=True).write(run)
    assert RunLabels.read(run).is_starred


def test_a_renamed_run_keeps_its_place_in_the_queue(make_run: MakeRun) -> None:
    run, other = make_run("a"), make_run("b")
    queue = RunQueue(run.path.parent)
    queue.add("a")
    queue.add("b")
    renamed = rename_run(run, "kick-drums")
    assert renamed.read_manifest().preset == "balanced"
    assert not run.path.exists()
    assert [each.name for each in queue.waiting()] == ["kick-drums", "b"]
    with pytest.raises(NameTakenError):
        rename_run(renamed, other.name)
    for name in ("", "../up", "two words", ".hidden"):
        with pytest.raises(RunNameError):
            rename_run(renamed, name)


def test_a_run_in_training_is_neither_renamed_nor_deleted(make_run: MakeRun) -> None:
    run, seen = make_run("a"), make_run("b")
    run.lock.acquire()
    same = type(run)(run.path)
    for change in (lambda: rename_run(same, "c"), lambda: delete_run(same)):
        with pytest.raises(RunError, match="is being trained by process"):
            change()
    run.lock.release()
    assert run.events.exists()
    assert seen.events.exists()
    rename_run(same, "c")


def test_a_deleted_run_takes_nothing_else_along(make_run: MakeRun, tmp_path: Path) -> None:
    run, kept = make_run("a"), make_run("b")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "song.wav").write_text("precious")
    run.generated.symlink_to(outside)
    (run.previews / "link.wav").symlink_to(outside / "song.wav")
    (run.path / "rewound-001").mkdir()
    (run.path / "thoughts.txt").write_text("mine")
    RunQueue(run.path.parent).add("a")
    assert delete_run(run) == 1
    assert [path.name for path in run.path.iterdir()] == ["thoughts.txt"]
    assert (outside / "song.wav").read_text() == "precious"
    assert kept.run_file.exists()
    assert RunQueue(run.path.parent).entries() == []
    with pytest.raises(RunError, match="not a run"):
        delete_run(run)
    assert delete_run(kept) == 0
    assert not kept.path.exists()


def test_a_run_reached_through_a_link_is_not_deleted(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("a")
    link = tmp_path / "linked"
    link.symlink_to(run.path)
    with pytest.raises(RunError, match="is a link"):
        delete_run(type(run)(link))
    assert run.run_file.exists()
