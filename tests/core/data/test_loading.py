"""Decoding the sounds of a split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.loading import LoadedSounds, load_sounds
from core.data.report import Excerpt, Split
from core.data.store import SampleBuffer
from core.errors import Cancelled, DatasetError
from tests.conftest import file_size_limit
from tests.core.data.stores import CHUNK
from tests.sounds import tone, write_tone

CPU = torch.device("cpu")


def load(
    folder: Path, split: Split, cancelled: bool = False, buffer: SampleBuffer | None = None
) -> LoadedSounds:
    return load_sounds(
        folder,
        split,
        48_000,
        CHUNK,
        CPU,
        buffer or SampleBuffer(),
        lambda: cancelled,
        lambda done, total: None,
    )


def excerpt(name: str, stop_s: float = 0.5) -> Excerpt:
    return Excerpt(name, 0.0, stop_s, (0.0, 0.25))


def test_sounds_are_loaded_in_the_order_of_the_split(tmp_path: Path) -> None:
    for name, frequency_hz in (("a.wav", 440.0), ("b.flac", 220.0), ("c.wav", 330.0)):
        write_tone(tmp_path / name, frequency_hz, 0.5)
    split = Split("file", "", (excerpt("b.flac"), excerpt("a.wav")), (excerpt("c.wav"),))
    sounds = load(tmp_path, split)
    assert len(sounds.train) == 4
    assert [sounds.train.path_of(chunk) for chunk in range(4)] == ["b.flac", "b.flac", "a.wav", "a.wav"]
    assert np.allclose(sounds.validation.chunks(torch.tensor([0]))[0], tone(330.0, 0.5)[:CHUNK], atol=1e-3)
    assert sounds.problems == ()


def test_a_missing_or_shorter_file_is_reported_and_the_rest_is_loaded(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    write_tone(tmp_path / "late.wav", 440.0, 0.5)
    late = Excerpt("late.wav", 2.0, 3.0, (2.0,))
    split = Split("file", "", (excerpt("a.wav"), excerpt("gone.wav")), (late,))
    sounds = load(tmp_path, split)
    assert len(sounds.train) == 2
    assert [problem.split(":")[0] for problem in sounds.problems] == [
        "gone.wav is left out",
        "late.wav is left out",
        "No validation sound is left",
    ]
    assert sounds.validation is sounds.train


def test_samples_on_disk_are_those_in_memory(tmp_path: Path) -> None:
    for name, frequency_hz in (("a.wav", 440.0), ("b.wav", 330.0)):
        write_tone(tmp_path / name, frequency_hz, 0.5)
    split = Split("file", "", (excerpt("a.wav"),), (excerpt("b.wav"),))
    before = set(tmp_path.iterdir())
    on_disk, in_memory = load(tmp_path, split, buffer=SampleBuffer(tmp_path)), load(tmp_path, split)
    index = torch.arange(2)
    assert torch.equal(on_disk.train.chunks(index), in_memory.train.chunks(index))
    assert torch.equal(on_disk.validation.chunks(index), in_memory.validation.chunks(index))
    assert set(tmp_path.iterdir()) == before


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    with (
        file_size_limit(1000),
        pytest.raises(DatasetError, match=r"neither into memory nor on the disk \(File too large\)"),
    ):
        load(tmp_path, Split("file", "", (excerpt("a.wav"),), ()), buffer=SampleBuffer(tmp_path))


def test_a_dataset_without_training_sounds_is_refused(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    with pytest.raises(DatasetError, match="No training sound could be read"):
        load(tmp_path, Split("file", "", (excerpt("gone.wav"),), (excerpt("a.wav"),)))


def test_loading_is_cancelled(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    with pytest.raises(Cancelled):
        load(tmp_path, Split("file", "", (excerpt("a.wav"),), ()), cancelled=True)
