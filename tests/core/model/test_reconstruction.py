"""What a model makes of many sounds at once."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.errors import Cancelled
from core.model import build_model
from core.model.reconstruction import BATCH, reconstruct


def test_reconstruction_is_cancelled_between_batches() -> None:
    model = build_model(
        TrainingConfig(chunk_duration_s=0.25, latent_dim=4).resolved(1).model_config(SpectrogramConfig())
    )
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        reconstruct(model, torch.zeros(BATCH + 1, 1, 128, 24), lambda: next(answers))
