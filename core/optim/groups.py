"""Groups of weights that share optimiser settings."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ParameterGroup:
    """Weights that learn at `lr_scale` times the learning rate, with weight decay if `decays`.

    `use_muon` is for the weights of convolutions.
    """

    parameters: list[nn.Parameter]
    lr_scale: float = 1.0
    decays: bool = True
    use_muon: bool = False
