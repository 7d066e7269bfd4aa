"""Checkpoints written beside the training: on a disk that takes all of them, one, or none."""

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from core.atomic import write_atomically
from core.checkpoints.archive import read_checkpoint
from core.checkpoints.folder import CheckpointFolder
from core.checkpoints.writer import CheckpointWriter
from core.events import CheckpointSaved

SIZE_BYTES = 42_000  # of a checkpoint of `state`, about


class Run:
    """A writer, and what it reported."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "checkpoints"
        self.saved: list[CheckpointSaved] = []
        self.warnings: list[str] = []
        self.writer = CheckpointWriter(
            CheckpointFolder(self.folder), torch.device("cpu"), self.saved.append, self.warnings.append
        )

    def save(self, step: int, best_step: int | None = None) -> None:
        """Save a step, and a state that was the best at another one."""
        if best_step is not None:
            self.writer.keep_best(state(best_step), 1, best_step)
        self.writer.save(state(step), 1, step, "interval")
        self.writer.finish()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def state(step: int) -> dict[str, object]:
    return {"step": step, "weight": torch.full((10_000,), float(step))}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.writer.close()


@pytest.fixture
def leave_free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the disk have room for so many checkpoints, less what is written from now on."""
    usage = shutil.disk_usage("/")

    def leave(checkpoints: float) -> None:
        room = [round(checkpoints * SIZE_BYTES)]

        def disk_usage(path: Path) -> object:
            used = sum(each.stat().st_size for each in (path / "checkpoints").glob("*"))
            return usage._replace(free=max(0, room[0] - used))

        monkeypatch.setattr("core.checkpoints.writer.shutil.disk_usage", disk_usage)

    return leave


def test_best_comes_first_where_there_is_room_for_both(run: Run) -> None:
    """A process killed between the two must not lose the best."""
    run.save(8, best_step=6)
    assert [Path(each.path).name for each in run.saved] == ["best.pt", "step-000000008.pt"]
    assert read_checkpoint(run.folder / "best.pt")["step"] == 6


def test_where_one_fits_it_is_the_one_that_lets_the_run_continue(
    run: Run, leave_free: Callable[[float], None]
) -> None:
    leave_free(1.5)
    run.save(8, best_step=6)
    assert run.names() == ["step-000000008.pt"]
    (warning,) = run.warnings
    assert warning.startswith("The best checkpoint, of step 6, could not be written to ")
    assert "0.0 MB are needed and 0.0 MB are free" in warning
    leave_free(10)
    run.save(16)
    assert read_checkpoint(run.folder / "best.pt")["step"] == 6
    assert run.warnings[-1] == ""


def test_without_space_the_oldest_give_way_but_not_the_last(
    run: Run, leave_free: Callable[[float], None]
) -> None:
    """Best and what was saved by hand stay, and so does the newest until there is a newer one."""
    run.save(0)
    leave_free(1.5)
    run.save(8)  # where the run began is no loss
    assert run.names() == ["step-000000008.pt"]
    run.save(16)
    assert run.names() == ["step-000000008.pt"]
    assert "step 16 could not be written" in run.warnings[-1]
    leave_free(2.5)
    run.save(24)
    run.save(32)
    assert run.names() == ["step-000000024.pt", "step-000000032.pt"]
    leave_free(10)
    run.save(40, best_step=40)
    (run.folder / "step-000000024.pt").rename(run.folder / "step-000000024-saved.pt")
    leave_free(4.5)
    run.save(48)
    kept = ["best.pt", "step-000000024-saved.pt", "step-000000040.pt", "step-000000048.pt"]
    assert run.names() == kept
    assert run.writer.problem == ""


def test_what_would_not_fit_in_its_place_replaces_nothing(
    run: Run, leave_free: Callable[[float], None]
) -> None:
    """A run without any checkpoint could not be continued, so that of step 0 stays until another is there."""
    run.save(0)
    leave_free(1.5)
    larger = {**state(8), "previews": torch.zeros(20_000)}
    run.writer.save(larger, 1, 8, "cancelled", is_last=True)
    run.writer.finish()
    assert run.names() == ["step-000000000.pt"]
    assert "step 8 could not be written" in run.writer.problem


def test_the_last_state_takes_the_place_of_the_one_before(
    run: Run, leave_free: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.save(8)
    leave_free(1.5)

    def save_last(step: int) -> None:
        run.writer.save(state(step), 1, step, "cancelled", is_last=True)
        run.writer.finish()

    save_last(13)
    assert run.names() == ["step-000000013.pt"]
    assert read_checkpoint(run.folder / "step-000000013.pt")["step"] == 13
    assert run.writer.problem == ""

    def refuse(path: Path, data: bytes) -> None:
        if path.name == "step-000000021.pt":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, data)

    monkeypatch.setattr("core.checkpoints.folder.write_atomically", refuse)
    save_last(21)
    assert read_checkpoint(run.folder / "step-000000013.pt")["step"] == 13
    assert "step 21 could not be written" in run.writer.problem


def test_message_of_a_full_disk_names_what_is_needed_and_free(
    run: Run, leave_free: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("core.checkpoints.writer.serialise", lambda _: bytes(30_100_000))
    monkeypatch.setattr(
        "core.checkpoints.writer.shutil.disk_usage", lambda _: usage._replace(free=12_000_000)
    )
    run.save(8)
    assert run.writer.problem == (
        f"The checkpoint of step 8 could not be written to {run.folder} "
        "(No space left on device: 30.1 MB are needed and 12.0 MB are free); free some space."
    )
    assert run.saved == []


def test_best_that_cannot_be_written_does_not_block_the_step(run: Run) -> None:
    run.save(4)
    (run.folder / "best.pt").mkdir()
    (run.folder / "best.pt" / "mine").touch()
    run.save(8, best_step=8)
    assert "step-000000008.pt" in run.names()
    assert "The best checkpoint, of step 8, could not be written" in run.writer.problem


def test_step_that_cannot_be_written_does_not_block_the_best(run: Run) -> None:
    run.save(4)
    (run.folder / "step-000000008.pt").mkdir()
    run.save(8, best_step=8)
    assert read_checkpoint(run.folder / "best.pt")["step"] == 8
    assert "The checkpoint of step 8 could not be written" in run.writer.problem


def test_best_of_before_a_return_is_still_written_after_it(run: Run) -> None:
    run.writer.keep_best(state(6), 1, 6)
    run.writer.keep_best(state(8), 1, 8)
    run.writer.forget(7)
    run.save(7)
    assert run.names() == ["step-000000007.pt"]
    run.writer.keep_best(state(8), 1, 8)
    run.writer.forget(8)
    run.save(9)
    assert read_checkpoint(run.folder / "best.pt")["step"] == 8


def test_lack_of_memory_for_a_checkpoint_is_a_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("core.checkpoints.writer.serialise", fail)
        run.save(8, best_step=8)
    assert run.warnings == ["The checkpoint of step 8 found too little memory; close other programs."]
    run.save(9)
    assert run.names() == ["best.pt", "step-000000009.pt"]
    assert run.warnings[-1] == ""


@pytest.mark.parametrize(
    ("break_disk", "advice"),
    [
        (lambda run: run.rename(run.with_name("moved")), "its folder was moved or deleted; put it back"),
        (lambda run: (run / "checkpoints").touch(), "its folder was replaced; put it back"),
    ],
)
def test_advice_fits_what_is_wrong_with_the_disk(
    tmp_path: Path, break_disk: Callable[[Path], object], advice: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    run = Run(folder)
    break_disk(folder)
    run.save(8, best_step=8)
    assert advice in run.writer.problem
    run.writer.close()
