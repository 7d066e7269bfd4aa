"""Batches as a function of the step, and their prefetching."""

import threading

import pytest
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.config import SpectrogramConfig, TrainingConfig
from core.data.batches import BatchOrder, Prefetcher, TrainingBatches
from tests.core.data.stores import store_of
from tests.sounds import tone

CPU = torch.device("cpu")


@pytest.mark.parametrize(("chunks", "expansion", "batch_size"), [(1, 1, 1), (5, 1, 2), (7, 3, 4), (3, 15, 8)])
def test_an_epoch_has_every_chunk_equally_often_in_batches_of_one_size(
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
    sounds = store_of(tone(440.0, 0.5), tone(300.0, 0.05), starts=(0.0, 0.02), chunk_samples=12_000)
    config = TrainingConfig(batch_size=3, augmentation_expansion=4).resolved(len(sounds))
    spectrogram = LogMelSpectrogram(SpectrogramConfig())
    one, other = (TrainingBatches(sounds, spectrogram, config, 6, CPU) for _ in range(2))
    forwards = [one.batch(step, 3) for step in range(8)]
    assert forwards[0].shape == (3, 1, 128, 24)
    assert torch.equal(other.batch(7, 3), forwards[7])
    assert torch.equal(other.batch(2, 3), forwards[2])
    assert torch.equal(other.batch(2, 1), forwards[2][:1])  # halved for lack of memory


def test_a_smaller_batch_is_prefetched_in_its_size() -> None:
    sizes = []
    prefetcher = Prefetcher(lambda step, size: sizes.append(size) or torch.zeros(size))
    assert len(prefetcher(0, 8)) == 8
    assert len(prefetcher(1, 4)) == 4  # not the eight that are there already
    assert len(prefetcher(2, 4)) == 4
    prefetcher.close()
    assert sizes[:3] == [8, 8, 4]
    assert set(sizes[3:]) == {4}


def test_unaltered_batches_are_the_chunks_in_any_order_of_steps() -> None:
    sounds = store_of(tone(440.0, 2.5), starts=tuple(0.05 * n for n in range(45)), chunk_samples=12_000)
    config = TrainingConfig(batch_size=8, augmentation_strength=0.0, random_crop_probability=0.0)
    config = config.resolved(len(sounds))
    assert not config.augments
    assert TrainingConfig().augments
    spectrogram = LogMelSpectrogram(SpectrogramConfig())
    one, other = (TrainingBatches(sounds, spectrogram, config, 57, CPU) for _ in range(2))
    forwards = [one.batch(step, 8) for step in range(20)]
    assert all(torch.equal(other.batch(step, 8), forwards[step]) for step in (19, 3, 11, 0))
    order = BatchOrder(len(sounds), config.augmentation_expansion, 8, 57, config.seed)
    expected = spectrogram(sounds.chunks(order.batch(3)))
    torch.testing.assert_close(forwards[3], expected, rtol=0, atol=1e-5)


def test_next_batch_is_prefetched_on_a_thread_and_its_error_raised_when_asked_for() -> None:
    made: list[tuple[int, str]] = []

    def make(step: int, size: int) -> torch.Tensor:
        assert size == 3
        made.append((step, threading.current_thread().name))
        if step == 2:
            raise MemoryError("no room")
        return torch.full((1,), float(step))

    threads = torch.get_num_threads()
    prefetcher = Prefetcher(make)
    assert torch.get_num_threads() == threads
    assert [float(prefetcher(step, 3)) for step in (0, 1)] == [0.0, 1.0]
    with pytest.raises(MemoryError, match="no room"):
        prefetcher(2, 3)
    assert float(prefetcher(1, 3)) == 1.0
    prefetcher.close()
    assert {step for step, _ in made} >= {0, 1, 2}
    assert all(name.startswith("batches") for _, name in made)
