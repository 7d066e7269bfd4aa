"""A better latent for a given sound than one pass of the encoder finds."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.errors import Cancelled
from core.model import VAE
from core.optim.groups import ParameterGroup
from core.optim.optimizer import AdamW

STEPS = 60
STEP_SIZE = 0.05  # of a prior's deviation


@torch.enable_grad()
def refine_latents(
    model: VAE,
    log_mel: Tensor,
    steps: int = STEPS,
    step_size: float = STEP_SIZE,
    cancelled: Callable[[], bool] = lambda: False,
) -> Tensor:
    """Latents [batch, latent] which decode no farther from `log_mel` [batch, 1, mels, frames].

    Gradient steps on the squared error, from the encoder's answer: Kim et al., "Semi-Amortized Variational
    Autoencoders", ICML 2018.  Each keeps the nearest that it came by.  The model stays as it is.
    Raises Cancelled between steps.
    """
    model.eval()
    with torch.no_grad():
        latent = nn.Parameter(model.encode(log_mel)[0].contiguous())  # as the optimiser's kernels want it
    nearest = latent.detach().clone()
    smallest = torch.full((len(latent),), math.inf, device=latent.device)
    optimizer = AdamW([ParameterGroup([latent])], weight_decay=0.0)
    rate, never_bad = torch.tensor([step_size, 0.0], device=latent.device)
    for step in range(steps + 1):
        if cancelled():
            raise Cancelled
        squared_error = (model.decode(latent) - log_mel).square().flatten(1).sum(1) / model.scale.square()
        is_nearer = squared_error.detach() < smallest
        smallest = torch.where(is_nearer, squared_error.detach(), smallest)
        nearest = torch.where(is_nearer.unsqueeze(1), latent.detach(), nearest)
        if step < steps:
            (latent.grad,) = torch.autograd.grad(squared_error.sum(), latent)
            optimizer.step([rate], never_bad)
    return nearest
