"""AdamW, Muon, and the exponential moving average of the weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.optim.groups import ParameterGroup

BETAS = (0.9, 0.99)  # short memory: a run on few sounds has few steps
EPSILON = 1e-8
MUON_LR_SCALE = 20.0  # times the learning rate; 5 and 50 learned more slowly
MUON_MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients that bring singular values near 1 in 5 iterations
NEWTON_SCHULZ_ITERATIONS = 5


class Optimizer:
    """Moves each group of weights by the method that suits it."""

    def __init__(self, groups: Sequence[ParameterGroup], weight_decay: float) -> None:
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._adamw = AdamW([group for group in groups if not group.use_muon], weight_decay)
        self._muon = Muon([group for group in groups if group.use_muon], weight_decay)

    def zero_grad(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    def step(self, learning_rate: Tensor, is_good: Tensor) -> None:
        """Move every weight against its gradient if `is_good` [], a truth value on the device of the weights.

        No host sync for that value or for `learning_rate` [], except on MPS, whose fused AdamW ignores the
        former.  A lack of memory leaves all as it was.
        """
        if is_good.device.type == "mps" and not is_good:
            return
        is_bad = (~is_good).float()
        rates = self._adamw.rates(learning_rate)
        self._muon.step(learning_rate, is_good)
        self._adamw.step(rates, is_bad)

    def tensors(self) -> list[Tensor]:
        """All of the state, which a step writes in place."""
        return [*self._adamw.tensors(), *self._muon.tensors()]

    def state_dict(self) -> dict[str, Any]:
        return {"adamw": self._adamw.state_dict(), "muon": self._muon.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises KeyError, ValueError or RuntimeError if the state is of other weights."""
        self._adamw.load_state_dict(state["adamw"])
        self._muon.load_state_dict(state["muon"])


class AdamW:
    """Adam with decoupled weight decay: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019.

    One fused kernel per group, the one below `torch.optim.AdamW(fused=True)`.  Not that class itself: its
    first use imports torch's compiler, which takes as long as importing torch.
    """

    def __init__(self, groups: Sequence[ParameterGroup], weight_decay: float) -> None:
        self._groups = groups
        self.weight_decay = weight_decay
        parameters = [parameter for group in groups for parameter in group.parameters]
        self._means = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]
        self._steps = torch.zeros((), device=parameters[0].device if parameters else None)

    def rates(self, learning_rate: Tensor) -> list[Tensor]:
        """The learning rate of each group, from the one [] of all."""
        return [learning_rate * group.lr_scale for group in self._groups]

    @torch.no_grad()
    def step(self, rates: Sequence[Tensor], is_bad: Tensor) -> None:
        """Move the weights, unless `is_bad` [] is 1 and not 0.  Needs no memory."""
        self._steps += 1
        self._steps -= is_bad
        first = 0
        for group, rate in zip(self._groups, rates, strict=True):
            end = first + len(group.parameters)
            torch._fused_adamw_(
                list[Tensor](group.parameters),
                [parameter.grad for parameter in group.parameters if parameter.grad is not None],
                self._means[first:end],
                self._squares[first:end],
                [],
                [self._steps] * len(group.parameters),
                lr=rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=self.weight_decay if group.decays else 0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
                found_inf=is_bad,
            )
            first = end

    def tensors(self) -> list[Tensor]:
        return [self._steps, *self._means, *self._squares]

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "means": self._means, "squares": self._squares}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._steps.copy_(state["steps"])
        _copy(state["means"], self._means)
        _copy(state["squares"], self._squares)


@dataclass(frozen=True)
class _Stack:
    """Weights of one shape, which move together: a kernel for each would take longer than what it does."""

    parameters: list[nn.Parameter]
    lr_scale: float
    decays: bool

    def matrices(self, tensors: Sequence[Tensor]) -> Tensor:
        """One tensor for each weight, as [stack, outputs, inputs]; a copy."""
        return torch.stack([each.flatten(1) for each in tensors])


def _stacks(group: ParameterGroup) -> list[_Stack]:
    shapes: dict[torch.Size, list[nn.Parameter]] = {}
    for parameter in group.parameters:
        shapes.setdefault(parameter.flatten(1).shape, []).append(parameter)
    return [_Stack(parameters, group.lr_scale, group.decays) for parameters in shapes.values()]


class Muon:
    """Momentum whose matrices are made orthogonal: every direction of a layer moves as fast as any other.

    Convolutions then learn in a half of the steps that AdamW takes.  Jordan et al., "Muon: An optimizer for
    hidden layers in neural networks", 2024; weight decay as in Liu et al., "Muon is Scalable for LLM
    Training", 2025.
    """

    def __init__(self, groups: Sequence[ParameterGroup], weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self._stacks = [stack for group in groups for stack in _stacks(group)]
        self._momenta = [torch.zeros_like(stack.matrices(stack.parameters)) for stack in self._stacks]

    @torch.no_grad()
    def step(self, learning_rate: Tensor, is_good: Tensor) -> None:
        momenta, steps = [], []
        for stack, before in zip(self._stacks, self._momenta, strict=True):
            gradient = stack.matrices([each.grad for each in stack.parameters if each.grad is not None])
            momentum = torch.where(is_good, before.lerp(gradient, 1 - MUON_MOMENTUM), before)
            step = orthogonalised(gradient.lerp(momentum, MUON_MOMENTUM))
            if stack.decays:
                step.add_(stack.matrices(stack.parameters), alpha=self.weight_decay)
            momenta.append(momentum)
            steps.append(torch.where(is_good, step * (learning_rate * MUON_LR_SCALE * stack.lr_scale), 0.0))
        _copy(momenta, self._momenta)  # from here on nothing needs memory
        for stack, step in zip(self._stacks, steps, strict=True):
            for parameter, each in zip(stack.parameters, step, strict=True):
                parameter.sub_(each.view_as(parameter))

    def tensors(self) -> list[Tensor]:
        return self._momenta

    def state_dict(self) -> dict[str, Any]:
        return {"momenta": self._momenta}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        _copy(state["momenta"], self._momenta)


def orthogonalised(matrices: Tensor) -> Tensor:
    """About the nearest semi-orthogonal matrices to [stack, outputs, inputs], times √(outputs/inputs) if that
    is above 1.

    By Newton-Schulz iteration, which brings singular values that are not tiny to between 0.5 and 1.3.
    """
    a, b, c = NEWTON_SCHULZ
    _, outputs, inputs = matrices.shape
    x = matrices.mT if outputs > inputs else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(EPSILON)
    for _ in range(NEWTON_SCHULZ_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    orthogonal: Tensor = x.mT * (outputs / inputs) ** 0.5 if outputs > inputs else x
    return orthogonal


def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    for here, there in zip(target, source, strict=True):
        if here.shape != there.shape:
            raise ValueError(f"shape {tuple(there.shape)} instead of {tuple(here.shape)}")
        here.copy_(there)


@torch.no_grad()
def update_ema(ema_model: nn.Module, model: nn.Module, ema_weight: Tensor) -> None:
    """Move the EMA model's weights towards the model's by this share [] of the way."""
    averaged: list[Tensor] = list(ema_model.parameters())
    torch._foreach_lerp_(averaged, list(model.parameters()), [ema_weight] * len(averaged))
