"""Resident sounds and the batches cut from them."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from core.audio.augmentation import Augmentation
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SpectrogramConfig, TrainingConfig
from core.data.batches import Prefetcher, TrainingBatches
from core.data.report import Excerpt, Split
from core.data.store import BatchOrder, ChunkStore, DecodedExcerpt, SampleBuffer, load_sounds
from core.errors import Cancelled, DatasetError
from tests.conftest import file_size_limit
from tests.sounds import tone, write_tone

CPU = torch.device("cpu")
CHUNK = 1000


def store(*signals: np.ndarray, starts: tuple[float, ...] = (0.0,), chunk_samples: int = CHUNK) -> ChunkStore:
    sounds, arena = [], SampleBuffer()
    for index, signal in enumerate(signals):
        excerpt = Excerpt(f"{index}.wav", 0.0, len(signal) / 48_000, starts)
        cut = DecodedExcerpt.of(signal.astype(np.float32), excerpt, 48_000)
        assert cut is not None
        sounds.append(arena.place(cut))
    return ChunkStore(sounds, arena.tensor(), chunk_samples)


def still(batch: int) -> Augmentation:
    """An augmentation that changes nothing."""
    zeros, ones = torch.zeros(batch), torch.ones(batch)
    return Augmentation(zeros.long(), zeros.long(), ones, ones, zeros, zeros, zeros.long())


def test_chunks_are_the_samples_to_int16_precision_of_the_sounds_own_peak() -> None:
    quiet, loud = 1e-3 * tone(440.0, 0.1), 5 * tone(300.0, 0.1)
    chunks = store(quiet, loud).chunks(torch.tensor([0, 1])).numpy()
    for chunk, signal in zip(chunks, (quiet, loud), strict=True):
        assert np.abs(chunk - signal[:CHUNK]).max() < np.abs(signal).max() / 32767


def test_a_short_sound_is_padded_with_zeros() -> None:
    signal = tone(440.0, 0.01)
    chunk = store(signal).chunks(torch.tensor([0]))[0].numpy()
    assert np.allclose(chunk[:480], signal, atol=1e-4)
    assert not chunk[480:].any()


def test_an_augmentation_that_changes_nothing_gives_the_chunk() -> None:
    sounds = store(tone(440.0, 0.1), tone(300.0, 0.01))
    index = torch.tensor([0, 1])
    assert torch.equal(sounds.crops(index, still(2)), sounds.chunks(index))


def test_a_crop_stays_inside_its_sound_and_a_shift_need_not() -> None:
    ramp = np.arange(1, 4801) / 4800
    sounds = store(ramp, starts=(0.05,))  # sample 2400
    index = torch.tensor([0])
    for crop, first in ((-100, 2300), (10_000, 3800), (-10_000, 0)):
        moved = dataclasses.replace(still(1), crop_samples=torch.tensor([crop]))
        assert np.allclose(sounds.crops(index, moved)[0], ramp[first : first + CHUNK], atol=1e-4)
    beyond = dataclasses.replace(
        still(1), crop_samples=torch.tensor([10_000]), shift_samples=torch.tensor([300])
    )
    shifted = sounds.crops(index, beyond)[0].numpy()
    assert np.allclose(shifted[:700], ramp[4100:], atol=1e-4)
    assert not shifted[700:].any()


def test_a_short_sound_is_placed_anywhere_in_the_chunk() -> None:
    signal = tone(440.0, 0.01)
    sounds = store(signal)
    for crop, offset in ((-200, 200), (-5000, CHUNK - 480), (300, 0)):
        moved = dataclasses.replace(still(1), crop_samples=torch.tensor([crop]))
        chunk = sounds.crops(torch.tensor([0]), moved)[0].numpy()
        assert np.allclose(chunk[offset : offset + 480], signal, atol=1e-4)


@pytest.mark.parametrize("speed", [0.94, 1.06])
def test_speed_moves_pitch_and_time_alike(speed: float) -> None:
    sounds = store(tone(2000.0, 0.2))
    faster = dataclasses.replace(still(1), speed=torch.tensor([speed]), gain=torch.tensor([0.5]))
    chunk = sounds.crops(torch.tensor([0]), faster)[0].numpy()
    time_s = np.arange(CHUNK) * speed / 48_000
    expected = 0.5 * np.interp(time_s, np.arange(9600) / 48_000, tone(2000.0, 0.2))
    assert np.abs(chunk - expected).max() < 0.01


def test_the_loudest_chunk_is_found_with_its_file() -> None:
    sounds = store(tone(440.0, 0.1), 2 * tone(440.0, 0.1), tone(100.0, 0.1))
    assert sounds.loudest(lambda: False) == 1
    assert sounds.path_of(1) == "1.wav"


@pytest.mark.parametrize(("chunks", "expansion", "batch_size"), [(1, 1, 1), (5, 1, 2), (7, 3, 4), (3, 15, 8)])
def test_an_epoch_shows_every_chunk_equally_often_in_batches_of_one_size(
    chunks: int, expansion: int, batch_size: int
) -> None:
    steps = -(-chunks * expansion // batch_size)
    order = BatchOrder(chunks, expansion, batch_size, steps, seed=0)
    for epoch in range(2):
        batches = [order.batch(epoch * steps + step) for step in range(steps)]
        assert {len(batch) for batch in batches} == {batch_size}
        shown = torch.cat(batches)[: chunks * expansion]
        assert torch.equal(shown.bincount(minlength=chunks), torch.full((chunks,), expansion))


def test_the_order_is_a_function_of_the_step() -> None:
    first, second = BatchOrder(20, 2, 4, 10, 0), BatchOrder(20, 2, 4, 10, 0)
    forwards = [first.batch(step) for step in range(30)]
    assert all(torch.equal(second.batch(step), forwards[step]) for step in (29, 3, 17, 0))
    assert not torch.equal(torch.cat(forwards[:10]), torch.cat(forwards[10:20]))
    assert not torch.equal(BatchOrder(20, 2, 4, 10, 1).batch(0), forwards[0])


def test_batches_are_a_function_of_the_step() -> None:
    sounds = store(tone(440.0, 0.5), tone(300.0, 0.05), starts=(0.0, 0.02), chunk_samples=12_000)
    config = TrainingConfig(batch_size=3, augmentation_expansion=4)
    spectrogram = LogMelSpectrogram(SpectrogramConfig())
    one, other = (TrainingBatches(sounds, spectrogram, config, 6, CPU) for _ in range(2))
    forwards = [one.batch(step, 3) for step in range(8)]
    assert forwards[0].shape == (3, 1, 128, 24)
    assert torch.equal(other.batch(7, 3), forwards[7])
    assert torch.equal(other.batch(2, 3), forwards[2])
    assert torch.equal(other.batch(2, 1), forwards[2][:1])  # halved for lack of memory


def test_unaltered_batches_are_the_chunks_themselves_however_they_were_come_by() -> None:
    sounds = store(tone(440.0, 2.5), starts=tuple(0.05 * n for n in range(45)), chunk_samples=12_000)
    config = TrainingConfig(batch_size=8, augmentation_strength=0.0, random_crop_probability=0.0)
    assert not config.augments
    assert TrainingConfig().augments
    spectrogram = LogMelSpectrogram(SpectrogramConfig())
    one, other = (TrainingBatches(sounds, spectrogram, config, 57, CPU) for _ in range(2))
    forwards = [one.batch(step, 8) for step in range(20)]
    assert all(torch.equal(other.batch(step, 8), forwards[step]) for step in (19, 3, 11, 0))
    order = BatchOrder(len(sounds), config.augmentation_expansion, 8, 57, config.seed)
    expected = spectrogram(sounds.chunks(order.batch(3)))
    torch.testing.assert_close(forwards[3], expected, rtol=0, atol=1e-5)


def test_the_next_batch_is_made_on_another_thread_and_a_break_is_told_when_it_is_asked_for() -> None:
    made: list[tuple[int, str]] = []

    def make(step: int) -> torch.Tensor:
        made.append((step, threading.current_thread().name))
        if step == 2:
            raise MemoryError("no room")
        return torch.full((1,), float(step))

    threads = torch.get_num_threads()
    ahead = Prefetcher(make)
    assert torch.get_num_threads() == threads
    assert [float(ahead(step)) for step in (0, 1)] == [0.0, 1.0]
    with pytest.raises(MemoryError, match="no room"):
        ahead(2)
    assert float(ahead(1)) == 1.0
    ahead.close()
    assert {step for step, _ in made} >= {0, 1, 2}
    assert all(name.startswith("batches") for _, name in made)


def load(folder: Path, split: Split, cancelled: bool = False, arena: SampleBuffer | None = None):
    return load_sounds(
        folder,
        split,
        48_000,
        CHUNK,
        CPU,
        arena or SampleBuffer(),
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


def test_a_file_that_is_gone_or_shorter_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
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
    on_disk, in_memory = load(tmp_path, split, arena=SampleBuffer(tmp_path)), load(tmp_path, split)
    index = torch.arange(2)
    assert torch.equal(on_disk.train.chunks(index), in_memory.train.chunks(index))
    assert torch.equal(on_disk.validation.chunks(index), in_memory.validation.chunks(index))
    assert set(tmp_path.iterdir()) == before


def test_a_disk_without_room_for_the_samples_is_told(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    with (
        file_size_limit(1000),
        pytest.raises(DatasetError, match=r"neither into memory nor on the disk \(File too large\)"),
    ):
        load(tmp_path, Split("file", "", (excerpt("a.wav"),), ()), arena=SampleBuffer(tmp_path))


def test_no_training_sound_left_is_told(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    with pytest.raises(DatasetError, match="No training sound could be read"):
        load(tmp_path, Split("file", "", (excerpt("gone.wav"),), (excerpt("a.wav"),)))


def test_loading_is_cancelled(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 440.0, 0.5)
    with pytest.raises(Cancelled):
        load(tmp_path, Split("file", "", (excerpt("a.wav"),), ()), cancelled=True)
