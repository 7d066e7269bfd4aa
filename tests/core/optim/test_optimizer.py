"""AdamW and Muon against torch's own, and the average of the weights."""

import copy

import pytest
import torch

from core.optim.groups import ParameterGroup
from core.optim.optimizer import BETAS, MUON_LR_SCALE, Optimizer, orthogonalised, update_ema
from core.optim.schedules import ema_weight

GOOD, BAD = torch.tensor(True), torch.tensor(False)


def squared_error(model: torch.nn.Module, step: int) -> None:
    """Fill in the gradients of a step."""
    model.zero_grad()
    inputs = torch.randn(8, 6, generator=torch.Generator().manual_seed(step))
    model(inputs).square().mean().backward()


@pytest.mark.parametrize("decay", [0.1, 0.0])
def test_it_moves_weights_as_torchs_own_does(decay: float) -> None:
    ours = torch.nn.Linear(6, 4)
    theirs = copy.deepcopy(ours)
    group = ParameterGroup(list(ours.parameters()), lr_scale=0.5, decays=decay > 0)
    optimizer = Optimizer([group], weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=BETAS, weight_decay=decay)
    for step in range(20):
        squared_error(ours, step)
        squared_error(theirs, step)
        optimizer.step(torch.tensor(0.02), GOOD)
        reference.step()
    for here, there in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(here, there, atol=1e-6)


def test_orthogonalised_steps_are_those_of_torchs_muon() -> None:
    shapes = ((6, 6), (6, 4), (4, 6), (6, 6))  # two of a kind move together
    ours = torch.nn.Sequential(*(torch.nn.Linear(*shape, bias=False) for shape in shapes))
    theirs = copy.deepcopy(ours)
    optimizer = Optimizer([ParameterGroup(list(ours.parameters()), use_muon=True)], 0.1)
    reference = torch.optim.Muon(theirs.parameters(), lr=MUON_LR_SCALE * 1e-3, weight_decay=0.1)
    before = [weight.detach().clone() for weight in ours.parameters()]
    draws = torch.Generator().manual_seed(0)
    for _ in range(5):
        for here, there in zip(ours.parameters(), theirs.parameters(), strict=True):
            here.grad = torch.randn(here.shape, generator=draws)
            there.grad = here.grad.clone()
        optimizer.step(torch.tensor(1e-3), GOOD)
        reference.step()
    for old, here, there in zip(before, ours.parameters(), theirs.parameters(), strict=True):
        moved, expected = here.detach() - old, there.detach() - old
        assert float((moved - expected).norm() / expected.norm()) < 0.03  # torch's own has 8 bits


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12)])
def test_an_orthogonalised_matrix_moves_all_directions_about_alike(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    singular = torch.linalg.svdvals(orthogonalised(matrices)) / max(1, shape[0] / shape[1]) ** 0.5
    assert 0.5 < float(singular.min()) <= float(singular.max()) < 1.3
    assert torch.allclose(orthogonalised(matrices)[1:2], orthogonalised(matrices[1:2]), atol=1e-5)
    assert torch.isfinite(orthogonalised(torch.zeros(1, *shape))).all()


def grouped(model: torch.nn.Linear) -> list[ParameterGroup]:
    return [ParameterGroup([model.weight], use_muon=True), ParameterGroup([model.bias])]


def test_weights_decay_in_either_method() -> None:
    model = torch.nn.Linear(6, 4)
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer = Optimizer(grouped(model), weight_decay=0.1)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step(torch.tensor(0.1), GOOD)
    for weight, old, rate in zip(model.parameters(), before, (0.1 * MUON_LR_SCALE, 0.1), strict=True):
        assert torch.allclose(weight, (1 - 0.1 * rate) * old)


def test_bad_step_changes_nothing_and_the_next_one_counts() -> None:
    model = torch.nn.Linear(6, 4)
    spared = copy.deepcopy(model)
    optimizer, reference = Optimizer(grouped(model), 0.1), Optimizer(grouped(spared), 0.1)
    for step in range(4):
        if step == 2:
            squared_error(model, step)
            for weight in model.parameters():
                weight.grad.fill_(torch.nan)
            optimizer.step(torch.tensor(0.01), BAD)
        for each, method in ((model, optimizer), (spared, reference)):
            squared_error(each, step)
            method.step(torch.tensor(0.01), GOOD)
    assert torch.equal(model.weight, spared.weight)
    assert torch.equal(model.bias, spared.bias)


def test_its_state_comes_back_and_another_models_is_refused() -> None:
    model = torch.nn.Linear(6, 4)
    again = copy.deepcopy(model)
    optimizer = Optimizer(grouped(model), 0.1)
    for step in range(3):
        squared_error(model, step)
        optimizer.step(torch.tensor(0.01), GOOD)
    resumed = Optimizer(grouped(again), 0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    again.load_state_dict(model.state_dict())
    for each, method in ((model, optimizer), (again, resumed)):
        squared_error(each, 3)
        method.step(torch.tensor(0.01), GOOD)
    assert torch.equal(model.weight, again.weight)
    assert torch.equal(model.bias, again.bias)
    other = Optimizer(grouped(torch.nn.Linear(3, 4)), 0.1)
    with pytest.raises(ValueError, match="shape"):
        other.load_state_dict(optimizer.state_dict())


def test_the_average_begins_with_the_weights_and_then_lags_behind() -> None:
    model, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    seen = []
    with torch.no_grad():
        for step in range(1, 1001):
            model.weight.fill_(step)
            update_ema(average, model, torch.tensor(ema_weight(step - 1)))
            seen.append(float(average.weight))
    assert seen[0] == 1
    assert seen[-1] == pytest.approx(1000 * 7.94 / 8.94, rel=0.01)  # the mean under weights step ** 6.94
