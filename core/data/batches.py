"""Training batches as log-mel spectrograms, each a function of the step alone."""

import torch
from torch import Tensor

from core.audio.augmentation import add_noise, draw_augmentation, noise_bank
from core.audio.spectrogram import LogMelSpectrogram
from core.config import TrainingConfig
from core.data.store import BatchOrder, ChunkStore
from core.seeding import generator


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

    def batch(self, step: int, size: int) -> Tensor:
        """The first `size` items of a step's batch, [size, 1, mels, frames]."""
        index = self._order.batch(step)
        draws = generator(self._config.seed, "augmentation", step)
        augmentation = draw_augmentation(self._config, len(index), self._store.chunk_samples, draws)
        waveform = add_noise(self._store.crops(index, augmentation), augmentation, self._noise)
        pitch = augmentation.pitch_semitones.to(self._device)
        log_mel: Tensor = self._spectrogram(waveform.to(self._device), pitch)
        return log_mel[:size]
