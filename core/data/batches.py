"""Training batches as log-mel spectrograms, each a function of the step alone."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

import torch
from torch import Tensor

from core.audio.augmentation import add_noise, draw_augmentation, noise_bank
from core.audio.spectrogram import LogMelSpectrogram
from core.config import ResolvedConfig
from core.data.store import ChunkStore
from core.device import to_device
from core.errors import Cancelled
from core.seeding import generator
from core.threads import lower_priority, one_core_threads

CROPS_AT_A_TIME = 32
CACHE_BYTES = 512 << 20  # of spectrograms that never change
FLOAT32_BYTES = 4

T = TypeVar("T")
Waveforms = tuple[Tensor, Tensor]  # [batch, samples], and the pitch shift of each in semitones [batch]


class TrainingBatches:
    """Augmented batches from a store.  Two objects with equal arguments make equal batches.

    The CPU's part of a batch is prefetched during the step before it, on a thread of its own that uses one
    core: most steps leave part of one idle.  `close` stops the thread.
    """

    def __init__(
        self,
        store: ChunkStore,
        spectrogram: LogMelSpectrogram,
        config: ResolvedConfig,
        steps_per_epoch: int,
        device: torch.device,
    ) -> None:
        self._store = store
        self._spectrogram = spectrogram
        self._config = config
        self._device = device
        self._noise = noise_bank().to(store.device)
        self._order = BatchOrder(
            len(store), config.augmentation_expansion, config.batch_size, steps_per_epoch, config.seed
        )
        n_frames = spectrogram.config.frames(store.chunk_samples)
        chunk_bytes = FLOAT32_BYTES * spectrogram.config.n_mels * n_frames
        is_cached = not config.augments and device.type == "cpu" and len(store) * chunk_bytes <= CACHE_BYTES
        self._cache = SpectrogramCache(store, spectrogram) if is_cached else None
        self._prefetcher: Prefetcher[Tensor] | Prefetcher[Waveforms] | None = None
        self._batch: Callable[[int, int], Tensor] = self._make
        if device.type == "cpu":
            self._batch = self._prefetcher = Prefetcher(self._make)
        elif store.device.type == "cpu":
            waveforms = self._prefetcher = Prefetcher(self._waveforms)
            self._batch = lambda step, size: self._log_mel(*waveforms(step, size))

    @property
    def chunks(self) -> int:
        """Number of chunks that the batches are drawn from."""
        return len(self._store)

    def batch(self, step: int, size: int) -> Tensor:
        """The first `size` items of a step's batch, [size, 1, mels, frames].

        No others are made: a batch is made smaller where memory is short.
        """
        return self._batch(step, size)

    def close(self) -> None:
        """Stop prefetching."""
        if self._prefetcher is not None:
            self._prefetcher.close()

    def _make(self, step: int, size: int) -> Tensor:
        if self._cache is not None:
            return self._cache.batch(self._order.batch(step)[:size])
        return self._log_mel(*self._waveforms(step, size))

    def _waveforms(self, step: int, size: int) -> Waveforms:
        return self._augmented(self._order.batch(step), "augmentation", step, size)

    def random_crops(
        self,
        count: int,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Tensor:
        """Augmented chunks [count, 1, mels, frames] to initialise a model from.

        `progress(done)` is called with the number of chunks made so far.  Raises Cancelled.
        """
        crops = []
        for number, first in enumerate(range(0, count, CROPS_AT_A_TIME)):
            if cancelled():
                raise Cancelled
            size = min(CROPS_AT_A_TIME, count - first)
            draws = generator(self._config.seed, "crops", number)
            index = torch.randint(len(self._store), (size,), generator=draws)
            crops.append(self._log_mel(*self._augmented(index, "crop augmentation", number, size)))
            progress(first + size)
        return torch.cat(crops)

    def _augmented(self, index: Tensor, stream: str, step: int, size: int) -> Waveforms:
        """The first `size` of the chunks [batch], augmented as they are whatever the size."""
        draws = generator(self._config.seed, stream, step)
        all_of_them = draw_augmentation(self._config, len(index), self._store.chunk_samples, draws)
        augmentation = all_of_them.first(size)
        waveform = add_noise(self._store.crops(index[:size], augmentation), augmentation, self._noise)
        return waveform, augmentation.pitch_semitones

    def _log_mel(self, waveform: Tensor, pitch_semitones: Tensor) -> Tensor:
        log_mel: Tensor = self._spectrogram(
            to_device(waveform, self._device), to_device(pitch_semitones, self._device)
        )
        return log_mel


class BatchOrder:
    """Which chunks make up each batch, as a function of the step alone."""

    def __init__(self, chunks: int, expansion: int, batch_size: int, steps_per_epoch: int, seed: int) -> None:
        self._chunks = chunks
        self._expansion = expansion
        self._batch_size = batch_size
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self._epoch = -1
        self._order = torch.zeros(0, dtype=torch.long)

    def batch(self, step: int) -> Tensor:
        """Indices [batch] of the chunks of a step.

        An epoch is `expansion` passes over all chunks, each in an order of its own.  Its last batch is
        filled up from the epoch's start, so that all batches have one size.
        """
        epoch, batch = divmod(step, self._steps_per_epoch)
        if epoch != self._epoch:
            draws = generator(self._seed, "order", epoch)
            passes = [torch.randperm(self._chunks, generator=draws) for _ in range(self._expansion)]
            self._order = torch.cat(passes)
            self._epoch = epoch
        first = batch * self._batch_size
        return self._order[torch.arange(first, first + self._batch_size) % len(self._order)]


class SpectrogramCache:
    """The log-mel spectrograms of a store's unaltered chunks, each computed once.

    Always computed in the same groups, so that the numbers do not depend on when a chunk is first needed.
    """

    def __init__(self, store: ChunkStore, spectrogram: LogMelSpectrogram) -> None:
        self._store = store
        self._spectrogram = spectrogram
        self._groups: dict[int, Tensor] = {}

    def batch(self, index: Tensor) -> Tensor:
        """The spectrograms [batch, 1, mels, frames] of the chunks [batch]."""
        groups, rows = index // CROPS_AT_A_TIME, index % CROPS_AT_A_TIME
        return torch.stack(
            [self._group(group)[row] for group, row in zip(groups.tolist(), rows.tolist(), strict=True)]
        )

    def _group(self, number: int) -> Tensor:
        if number not in self._groups:
            first = number * CROPS_AT_A_TIME
            index = torch.arange(first, min(first + CROPS_AT_A_TIME, len(self._store)))
            self._groups[number] = self._spectrogram(self._store.chunks(index))
        return self._groups[number]


class Prefetcher(Generic[T]):
    """Calls `make(step, size)` on a thread of its own, and for the next step before that is asked for.

    The thread has a lower priority than the step: where a step uses all cores, sharing one of them would slow
    down the whole step.
    """

    def __init__(self, make: Callable[[int, int], T]) -> None:
        self._make = make
        self._thread = one_core_threads(1, "batches")
        self._thread.submit(lower_priority)
        self._next: tuple[tuple[int, int], Future[T]] | None = None

    def __call__(self, step: int, size: int) -> T:
        if self._next is None or self._next[0] != (step, size):
            self._next = (step, size), self._thread.submit(self._make, step, size)
        future = self._next[1]
        self._next = (step + 1, size), self._thread.submit(self._make, step + 1, size)
        return future.result()

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
