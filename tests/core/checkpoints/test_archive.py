"""Checkpoints as bytes: what is recognised as one, and what is refused."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints.archive import parse_checkpoint, read_checkpoint, seal, serialise, snapshot
from core.errors import CheckpointError


def state(step: int) -> bytes:
    return serialise({"step": step, "model": {"weight": torch.full((3,), float(step))}})


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


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "step-000000006.pt"
    path.write_bytes(state(6))
    data = path.read_bytes()
    draws = np.random.default_rng(0)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(draws.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"step-000000006.pt is damaged"):
            read_checkpoint(path)


def test_torch_alone_reads_a_checkpoint() -> None:
    assert torch.load(io.BytesIO(state(6)), weights_only=True)["step"] == 6


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


def test_what_shares_memory_is_in_a_checkpoint_once() -> None:
    large = torch.rand(100_000)
    shared = snapshot({"model": {"basis": large}, "average": {"basis": large.detach()}, "other": large + 1})
    assert shared["model"]["basis"].data_ptr() == shared["average"]["basis"].data_ptr() != large.data_ptr()
    data = serialise(shared)
    assert 800_000 < len(data) < 810_000
    again = parse_checkpoint(data, "a.pt")
    assert torch.equal(again["average"]["basis"], large)
    assert torch.equal(again["other"], large + 1)


def test_a_part_and_another_shape_of_the_same_memory_are_kept_apart() -> None:
    values = torch.arange(6.0)
    kept = snapshot([values, values.view(2, 3), values.view(2, 3).T, values[:2]])
    assert [list(each.shape) for each in kept] == [[6], [2, 3], [3, 2], [2]]
    assert torch.equal(kept[2], values.view(2, 3).T)
