"""Dropout by random bytes."""

import pytest
import torch

from core.model.dropout import Dropout


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.4, 0.9])
def test_the_given_share_of_features_is_dropped_and_the_mean_stays(probability: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(probability)(torch.ones(3, 7, 100, 127))
    for axis in range(4):
        others = [other for other in range(4) if other != axis]
        is_dropped = (dropped == 0).float().mean(others)
        assert is_dropped.sub(probability).abs().max() < 0.05
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert len(dropped.unique()) == (1 if probability == 0 else 2)


def test_dropout_follows_the_seed_and_masks_gradients_alike() -> None:
    features = torch.randn(5, 1001, requires_grad=True)
    torch.manual_seed(1)
    dropped = Dropout(0.3)(features)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.3)(features), dropped)
    dropped.sum().backward()
    assert torch.allclose(features.grad, dropped.detach() / features.detach())
    assert not torch.equal(Dropout(0.3)(features), dropped)


def test_dropout_does_nothing_in_evaluation_mode() -> None:
    features = torch.randn(10)
    assert torch.equal(Dropout(0.5).eval()(features), features)
    assert Dropout(0.5)(features.bfloat16()).dtype is torch.bfloat16
