"""A better latent for a given sound than one pass of the encoder finds."""

import torch
from torch import Tensor, nn

from core.model import VAE
from core.model.vae import ParameterGroup
from core.training.optimizer import AdamW

STEPS = 60
STEP_SIZE = 0.05  # of a prior's deviation


def refine_latents(model: VAE, log_mel: Tensor, steps: int = STEPS) -> Tensor:
    """Latents [batch, latent] whose images come nearer to `log_mel` [batch, 1, mels, frames].

    Gradient steps on the squared error, from the encoder's answer: Kim et al., "Semi-Amortized Variational
    Autoencoders", ICML 2018.  The model stays as it is.
    """
    model.eval()
    with torch.no_grad():
        latent = nn.Parameter(model.encode(log_mel)[0])
    optimizer = AdamW([ParameterGroup([latent])], weight_decay=0.0)
    for _ in range(steps):
        squared_error = (model.decode(latent) - log_mel).square().sum() / model.scale.square()
        (latent.grad,) = torch.autograd.grad(squared_error, latent)
        optimizer.step(STEP_SIZE)
    return latent.detach()
