"""Principal components of many spectrograms."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import Cancelled

OVERSAMPLING = 16
POWER_ITERATIONS = 5


@dataclass(frozen=True)
class PrincipalComponents:
    """Mean [features], orthonormal directions [features, count], the standard deviation along each [count],
    largest first, and the mean squared residual [] per feature."""

    mean: Tensor
    directions: Tensor
    deviations: Tensor
    residual: Tensor


@torch.no_grad()
def principal_components(
    items: Tensor, count: int, generator: torch.Generator, cancelled: Callable[[], bool] = lambda: False
) -> PrincipalComponents:
    """The first components of `items` [items, features] by randomised subspace iteration.

    Halko, Martinsson & Tropp, "Finding Structure with Randomness", SIAM Review 2011.  Where there are fewer
    items than components the last deviations are 0.  The largest element of each direction is positive, so
    that rounding does not choose its sign.  Raises Cancelled between passes over the items.
    """
    device = items.device
    if device.type == "mps":  # has no QR decomposition
        items = items.cpu()

    def check() -> None:
        if cancelled():
            raise Cancelled

    mean = items.mean(0)
    centred = items - mean
    width = min(count + OVERSAMPLING, items.shape[1])
    basis = torch.randn(items.shape[1], width, generator=generator).to(items.device)
    for _ in range(POWER_ITERATIONS):
        check()
        projected = centred @ torch.linalg.qr(basis).Q
        check()
        basis = centred.T @ projected
    check()
    basis = torch.linalg.qr(basis).Q
    projected = centred @ basis
    check()
    _, singular, rotation = torch.linalg.svd(projected, full_matrices=False)
    kept = min(count, len(singular))
    directions = torch.zeros(items.shape[1], count, device=items.device)
    deviations = torch.zeros(count, device=items.device)
    directions[:, :kept] = basis @ rotation[:kept].T
    largest = directions.abs().argmax(0, keepdim=True)
    directions *= torch.where(directions.gather(0, largest) < 0, -1.0, 1.0)
    deviations[:kept] = singular[:kept] / len(items) ** 0.5
    residual = (centred.square().sum() / len(items) - deviations.square().sum()) / items.shape[1]
    return PrincipalComponents(
        mean.to(device), directions.to(device), deviations.to(device), residual.clamp_min(0).to(device)
    )
