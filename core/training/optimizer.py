"""AdamW, and the moving average of the weights that is listened to."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.model.vae import ParameterGroup

BETAS = (0.9, 0.99)  # short memory: a run on few sounds has few steps
EPSILON = 1e-8
AVERAGE_EXPONENT = 7.94  # the average's width is a tenth of the run, whatever its length


class AdamW:
    """Adam with decoupled weight decay: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019.

    One fused kernel per group, the one below `torch.optim.AdamW(fused=True)`.  Not that class itself: its
    first use imports torch's compiler, which takes as long as importing torch.
    """

    def __init__(self, groups: Sequence[ParameterGroup], weight_decay: float) -> None:
        self._groups = groups
        self.weight_decay = weight_decay
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._steps = torch.zeros((), device=self._parameters[0].device)

    def zero_grad(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every weight against its gradient."""
        self._steps += 1
        first = 0
        for group in self._groups:
            end = first + len(group.parameters)
            torch._fused_adamw_(
                list[Tensor](group.parameters),
                [parameter.grad for parameter in group.parameters if parameter.grad is not None],
                self._means[first:end],
                self._squares[first:end],
                [],
                [self._steps] * len(group.parameters),
                lr=learning_rate * group.rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=self.weight_decay if group.decays else 0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
            first = end

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "means": self._means, "squares": self._squares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises KeyError, ValueError or RuntimeError if the state is of other weights."""
        self._steps.copy_(state["steps"])
        for ours, theirs in ((self._means, state["means"]), (self._squares, state["squares"])):
            for here, there in zip(ours, theirs, strict=True):
                if here.shape != there.shape:
                    raise ValueError(f"shape {tuple(there.shape)} instead of {tuple(here.shape)}")
                here.copy_(there)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the average of the weights after this many steps, by the power function.

    Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models", CVPR 2024.
    """
    kept = (1 - 1 / step) ** AVERAGE_EXPONENT
    averaged: list[Tensor] = list(average.parameters())
    torch._foreach_lerp_(averaged, list(model.parameters()), 1 - kept)
