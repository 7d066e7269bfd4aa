"""Decoding the sounds of a split."""

import dataclasses
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.data import loading
from core.data.loading import DecodedExcerpt, LoadedSounds, decoding_bytes, load_sounds
from core.data.report import Excerpt, Split
from core.data.store import SampleBuffer
from core.errors import Cancelled, DatasetError
from tests.conftest import file_size_limit, scan_folder
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


def test_files_that_cost_much_memory_are_decoded_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight one-hour files at once took four times the memory of what stays."""
    real = loading.decode_excerpts
    running, most = 0, 0

    def counted(*given: object) -> list[DecodedExcerpt]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        decoded = real(*given)  # type: ignore[arg-type]
        running -= 1
        return decoded

    monkeypatch.setattr(loading, "decode_excerpts", counted)
    monkeypatch.setattr(loading, "DECODING_BYTES", 1)
    for number in range(4):
        write_tone(tmp_path / f"{number}.wav", 110.0 * (number + 1), 5.0)
    parts = tuple(excerpt(f"{number}.wav", 5.0) for number in range(4))
    assert len(load(tmp_path, Split("file", "", parts[:3], parts[3:])).train) == 6
    assert most == 1


def test_memory_for_decoding_is_that_of_the_largest_file_or_the_limit() -> None:
    hour = Excerpt("a.wav", 0.0, 3600.0, (0.0,))
    short = tuple(excerpt(f"{number}.wav") for number in range(3))
    assert decoding_bytes(Split("file", "", (hour,), short), 48_000) == 6 * 3600 * 48_000
    assert decoding_bytes(Split("file", "", short, ()), 48_000) == 6 * 3 * 24_000


def test_joined_samples_are_in_memory_once() -> None:
    buffer = SampleBuffer()
    parts = [np.full(1000, number, np.int16) for number in range(3)]
    assert [buffer.append(part) for part in parts] == [0, 1000, 2000]
    expected = np.concatenate(parts)
    references = [weakref.ref(parts.pop()) for _ in range(3)]
    assert np.array_equal(buffer.tensor(), expected)
    assert [reference() for reference in references] == [None] * 3
    assert np.array_equal(buffer.tensor(), expected)


def test_a_file_that_needs_more_memory_than_is_free_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.wav", "b.wav"):
        write_tone(tmp_path / name, 440.0, 0.5)
    monkeypatch.setattr(loading, "free_memory", lambda: 300_000)
    split = Split("file", "", (excerpt("a.wav"), excerpt("b.wav", 5.0)), ())
    sounds = load(tmp_path, split)
    assert len(sounds.train) == 2
    assert sounds.problems[0].startswith("b.wav is left out: it needs 0.0 GB of memory")


def test_an_offset_is_not_raised_with_the_sound(tmp_path: Path) -> None:
    quiet = 0.01 * tone(440.0, 0.5)
    for name, offset in (("a.wav", 0.0), ("b.wav", 0.5)):
        soundfile.write(tmp_path / name, quiet + offset, 48_000, subtype="FLOAT")
    train, other = (dataclasses.replace(excerpt(name), gain=50.0) for name in ("a.wav", "b.wav"))
    for _ in range(2):  # the second time from the cache
        sounds = load(tmp_path, Split("file", "", (train,), (other,)))
        without, with_offset = (
            store.chunks(torch.tensor([0]))[0] for store in (sounds.train, sounds.validation)
        )
        assert torch.allclose(without, with_offset, atol=2e-3)
        scan_folder(tmp_path)


def test_the_gain_of_an_excerpt_is_applied_whatever_is_in_the_cache(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    write_tone(tmp_path / "b.wav", 330.0, 0.5)
    scan_folder(tmp_path)
    levelled = []
    for gain in (1.0, 4.0, 0.25):  # from the second on decoded sounds are in the cache
        train = dataclasses.replace(excerpt("a.wav"), gain=gain)
        sounds = load(tmp_path, Split("file", "", (train,), (excerpt("b.wav"),)))
        levelled.append(sounds.train.chunks(torch.tensor([0]))[0] / gain)
    assert torch.allclose(levelled[0], levelled[1])
    assert torch.allclose(levelled[0], levelled[2])
    assert np.allclose(levelled[0], tone(440.0, 0.5)[:CHUNK], atol=1e-3)
