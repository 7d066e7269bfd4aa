"""Principal components, against a full decomposition."""

import pytest
import torch

from core.errors import Cancelled
from core.model.pca import principal_components


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_components_equal_those_of_a_full_decomposition() -> None:
    items = torch.randn(200, 300, generator=draws()) * 0.9 ** torch.arange(300.0) + 2
    found = principal_components(items, 8, draws())
    centred = items - items.mean(0)
    _, singular, exact = torch.linalg.svd(centred, full_matrices=False)
    assert torch.allclose(found.mean, items.mean(0), atol=1e-6)
    assert torch.allclose(found.deviations, singular[:8] / 200**0.5, rtol=1e-3)
    assert (exact[:8] @ found.directions).abs().diag().min() > 0.999
    left_out = centred - centred @ exact[:8].T @ exact[:8]
    assert float(found.residual) == pytest.approx(float(left_out.square().mean()), rel=1e-2)


def test_components_beyond_the_number_of_items_are_zero() -> None:
    found = principal_components(torch.randn(5, 40, generator=draws()), 16, draws())
    assert found.directions.shape == (40, 16)
    assert (found.deviations[5:] == 0).all()
    assert float(found.residual) == pytest.approx(0, abs=1e-5)


def test_principal_components_are_cancelled() -> None:
    with pytest.raises(Cancelled):
        principal_components(torch.randn(5, 40), 2, draws(), lambda: True)


def test_the_largest_element_of_each_direction_is_positive() -> None:
    items = torch.randn(200, 30, generator=torch.Generator().manual_seed(0)) * torch.linspace(3, 1, 30)
    found = principal_components(items, 8, torch.Generator().manual_seed(1))
    opposite = principal_components(-items, 8, torch.Generator().manual_seed(2))
    for each in (found, opposite):
        assert (each.directions.gather(0, each.directions.abs().argmax(0, keepdim=True)) > 0).all()
    assert torch.allclose(found.directions, opposite.directions, atol=1e-2)
