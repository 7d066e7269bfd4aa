"""Checkpoints: what is kept, what is taken, what is refused."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints.archive import read_checkpoint, seal, serialise
from core.checkpoints.folder import CheckpointFolder
from core.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path)


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def state(step: int) -> bytes:
    return serialise({"step": step, "model": {"weight": torch.full((3,), float(step))}})


def test_the_three_newest_the_best_and_those_saved_by_hand_are_kept(folder: CheckpointFolder) -> None:
    folder.save(state(1), 1, by_hand=True)
    folder.save_best(state(2))
    for step in range(2, 8):
        folder.save(state(step), step)
    assert names(folder) == [
        "best.pt",
        "step-000000001-saved.pt",
        "step-000000005.pt",
        "step-000000006.pt",
        "step-000000007.pt",
    ]


def test_the_newest_is_taken_whoever_asked_for_it(folder: CheckpointFolder) -> None:
    folder.save(state(5), 5)
    folder.save(state(12), 12, by_hand=True)
    found, path, problems = folder.newest()
    assert (found["step"], path.name, problems) == (12, "step-000000012-saved.pt", [])
    assert torch.equal(found["model"]["weight"], torch.full((3,), 12.0))


@pytest.mark.parametrize("kept_bytes", [0, 1, 0.5, -1])
def test_a_damaged_newest_is_named_and_the_one_before_it_taken(
    folder: CheckpointFolder, kept_bytes: float
) -> None:
    folder.save(state(5), 5)
    path = folder.save(state(6), 6)
    data = path.read_bytes()
    path.write_bytes(data[: round(kept_bytes * len(data)) if 0 < kept_bytes < 1 else int(kept_bytes)])
    found, _, problems = folder.newest()
    assert found["step"] == 5
    assert len(problems) == 1
    assert problems[0].startswith("step-000000006.pt is damaged")


def test_lack_of_whole_checkpoints_is_an_error(folder: CheckpointFolder) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint in"):
        folder.newest()
    (folder.path / "step-000000001.pt").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match=r"No checkpoint can be used. step-000000001.pt is damaged"):
        folder.newest()


def test_other_files_are_left_alone(folder: CheckpointFolder) -> None:
    for name in ("notes.txt", "step-x.pt", "model.pt", ".step-000000009.pt.1.tmp"):
        (folder.path / name).write_text("mine")
    for step in range(5):
        folder.save(state(step), step)
    assert {"notes.txt", "step-x.pt", "model.pt"} <= set(names(folder))
    assert folder.newest()[0]["step"] == 4


class Payload:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["sealed", "not sealed", "bare pickle"])
def test_a_payload_is_refused_and_does_not_run(tmp_path: Path, kind: str) -> None:
    ran = tmp_path / "ran"
    path = tmp_path / "step-000000001.pt"
    buffer = io.BytesIO()
    torch.save({"format_version": 1, "model": Payload(ran)}, buffer)
    contents = {
        "not sealed": buffer.getvalue(),
        "sealed": seal(io.BytesIO(buffer.getvalue())),
        "bare pickle": pickle.dumps(Payload(ran)),
    }
    path.write_bytes(contents[kind])
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not ran.exists()
    torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)  # the payload is a real one
    assert ran.exists()


def test_a_compressed_archive_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    buffer, packed = io.BytesIO(), io.BytesIO()
    torch.save({"format_version": 1, "model": torch.zeros(1 << 20)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    path = tmp_path / "step-000000001.pt"
    path.write_bytes(seal(packed))
    with pytest.raises(CheckpointError, match="it is compressed"):
        read_checkpoint(path)


def test_a_flipped_bit_anywhere_is_noticed(folder: CheckpointFolder) -> None:
    path = folder.save(state(6), 6)
    data = path.read_bytes()
    draws = np.random.default_rng(0)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(draws.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"step-000000006.pt is damaged"):
            read_checkpoint(path)


def test_torch_alone_reads_a_checkpoint(folder: CheckpointFolder) -> None:
    assert torch.load(folder.save(state(6), 6), weights_only=True)["step"] == 6


def test_the_one_resumed_from_is_kept(folder: CheckpointFolder) -> None:
    folder.resumed_from = folder.save(state(1), 1).name
    for step in range(2, 8):
        folder.save(state(step), step)
    assert "step-000000001.pt" in names(folder)
    assert "step-000000002.pt" not in names(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": torch.zeros(1)}, "is no checkpoint of sda-tui"),
        ([1, 2], "is no checkpoint of sda-tui"),
        ({"format_version": 9}, "has format version 9, and this program reads 4"),
    ],
)
def test_foreign_file_is_refused(tmp_path: Path, content: object, message: str) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    (tmp_path / "a.pt").write_bytes(seal(buffer))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.pt")


def test_a_delete_that_fails_harms_nothing(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("core.checkpoints.folder.remove", refuse)
    for step in range(5):
        folder.save(state(step), step)
    assert folder.newest()[0]["step"] == 4
    assert "Cannot delete the old checkpoint step-000000000.pt: Permission denied" in caplog.text


def test_a_write_that_fails_leaves_what_was_there(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(state(1), 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save(state(2), 2)
    assert names(folder) == ["step-000000001.pt"]
