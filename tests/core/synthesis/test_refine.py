"""Latents that are looked for by gradient steps."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.model import build_model
from core.synthesis.refine import refine_latents


@pytest.mark.parametrize("kind", ["pca_unet", "convolutional"])
def test_refined_latents_are_nearer_and_the_model_stays(kind: str) -> None:
    torch.manual_seed(0)
    config = TrainingConfig(model=kind, chunk_duration_s=0.25, latent_dim=8)
    model = build_model(config.resolved(1).model_config(SpectrogramConfig())).eval()
    draws = torch.Generator().manual_seed(1)
    log_mel = torch.randn(40, 8, generator=draws) @ torch.randn(8, 128 * 24, generator=draws)
    log_mel = log_mel.view(40, 1, 128, 24) + 2
    model.initialise(log_mel[:20], torch.Generator().manual_seed(2))
    if kind == "pca_unet":  # it begins with the nearest latents there are
        with torch.no_grad():
            model.to_latent.weight *= 0.2
    before = {name: value.clone() for name, value in model.state_dict().items()}
    unseen = log_mel[20:23]

    def errors(latent: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return (model.decode(latent) - unseen).square().mean((1, 2, 3))

    encoded, refined = model.encode(unseen)[0], refine_latents(model, unseen, steps=20)
    assert (errors(refined) <= errors(encoded) + 1e-6).all()
    assert errors(refined).mean() < 0.99 * errors(encoded).mean()
    assert torch.equal(refine_latents(model, unseen, steps=0), encoded)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("kind", ["pca_unet", "convolutional"])
def test_several_sounds_are_refined_on_a_gpu(kind: str) -> None:
    config = TrainingConfig(model=kind, chunk_duration_s=0.25, latent_dim=8).resolved(1)
    model = build_model(config.model_config(SpectrogramConfig()), torch.device("cuda"))
    latent = refine_latents(model, torch.rand(3, 1, 128, 24, device="cuda"), steps=2)
    assert latent.shape == (3, 8)
    assert torch.isfinite(latent).all()
