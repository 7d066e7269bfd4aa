"""AdamW against torch's own, and the average of the weights."""

import copy

import pytest
import torch

from core.model.vae import ParameterGroup
from core.training.optimizer import BETAS, AdamW, follow


def squared_error(model: torch.nn.Module, step: int) -> None:
    """Fill in the gradients of a step."""
    model.zero_grad()
    inputs = torch.randn(8, 6, generator=torch.Generator().manual_seed(step))
    model(inputs).square().mean().backward()


@pytest.mark.parametrize("decay", [0.1, 0.0])
def test_it_moves_weights_as_torchs_own_does(decay: float) -> None:
    ours = torch.nn.Linear(6, 4)
    theirs = copy.deepcopy(ours)
    group = ParameterGroup(list(ours.parameters()), rate=0.5, decays=decay > 0)
    optimizer = AdamW([group], weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=BETAS, weight_decay=decay)
    for step in range(20):
        squared_error(ours, step)
        squared_error(theirs, step)
        optimizer.step(0.02)
        reference.step()
    for here, there in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(here, there, atol=1e-6)


def test_its_state_comes_back_and_another_models_is_refused() -> None:
    model = torch.nn.Linear(6, 4)
    group = ParameterGroup(list(model.parameters()))
    optimizer, again = AdamW([group], 0.1), AdamW([group], 0.1)
    for step in range(3):
        squared_error(model, step)
        optimizer.step(0.01)
    again.load_state_dict(optimizer.state_dict())
    assert float(again.state_dict()["steps"]) == 3
    assert torch.equal(again.state_dict()["means"][0], optimizer.state_dict()["means"][0])
    other = AdamW([ParameterGroup(list(torch.nn.Linear(3, 4).parameters()))], 0.1)
    with pytest.raises(ValueError, match="shape"):
        other.load_state_dict(optimizer.state_dict())


def test_the_average_begins_with_the_weights_and_then_lags_behind() -> None:
    model, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    seen = []
    with torch.no_grad():
        for step in range(1, 1001):
            model.weight.fill_(step)
            follow(average, model, step)
            seen.append(float(average.weight))
    assert seen[0] == 1
    assert seen[-1] == pytest.approx(1000 * 7.94 / 8.94, rel=0.01)  # the mean under weights step ** 6.94
