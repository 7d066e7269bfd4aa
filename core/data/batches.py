"""Training batches as log-mel spectrograms, each a function of the step alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from core.audio.augmentation import add_noise, draw_augmentation, noise_bank
from core.audio.spectrogram import LogMelSpectrogram
from core.config import TrainingConfig
from core.data.store import BatchOrder, ChunkStore
from core.errors import Cancelled
from core.seeding import generator

CROPS_AT_A_TIME = 32


class TrainingBatches:
    """Augmented batches from a store.  Two objects with equal arguments give equal batches."""

    def __init__(
        self,
        store: ChunkStore,
        spectrogram: LogMelSpectrogram,
        config: TrainingConfig,
        steps_per_epoch: int,
        device: torch.device,
    ) -> None:
        assert config.batch_size is not None
        self._store = store
        self._spectrogram = spectrogram
        self._config = config
        self._device = device
        self._noise = noise_bank().to(store.device)
        self._order = BatchOrder(
            len(store), config.augmentation_expansion, config.batch_size, steps_per_epoch, config.seed
        )

    @property
    def chunks(self) -> int:
        """Number of chunks that the batches are drawn from."""
        return len(self._store)

    def batch(self, step: int, size: int) -> Tensor:
        """The first `size` items of a step's batch, [size, 1, mels, frames]."""
        return self._augmented(self._order.batch(step), "augmentation", step)[:size]

    def random_crops(
        self,
        count: int,
        cancelled: Callable[[], bool] = lambda: False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Tensor:
        """Augmented chunks [count, 1, mels, frames] to get to know the sounds by; `progress` is told how many
        there are.  Raises Cancelled."""
        crops = []
        for number, first in enumerate(range(0, count, CROPS_AT_A_TIME)):
            if cancelled():
                raise Cancelled
            size = min(CROPS_AT_A_TIME, count - first)
            draws = generator(self._config.seed, "crops", number)
            index = torch.randint(len(self._store), (size,), generator=draws)
            crops.append(self._augmented(index, "crop augmentation", number))
            progress(first + size)
        return torch.cat(crops)

    def _augmented(self, index: Tensor, stream: str, step: int) -> Tensor:
        draws = generator(self._config.seed, stream, step)
        augmentation = draw_augmentation(self._config, len(index), self._store.chunk_samples, draws)
        waveform = add_noise(self._store.crops(index, augmentation), augmentation, self._noise)
        pitch = augmentation.pitch_semitones.to(self._device)
        log_mel: Tensor = self._spectrogram(waveform.to(self._device), pitch)
        return log_mel
