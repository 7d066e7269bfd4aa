"""Dropout that is fast on a CPU."""

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """`nn.Dropout`, but on a CPU each feature takes one random byte.

    torch draws a double-precision number for each there, which takes an eighth of a training step.  The
    probability is rounded to a 256th.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Any shape to the same."""
        if not self.training or not features.is_cpu:
            return super().forward(features)
        dropped = min(round(256 * self.p), 255)
        words = torch.empty(-(-features.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        is_kept = words.view(torch.uint8)[: features.numel()].view_as(features) >= dropped
        return features * (is_kept * (256 / (256 - dropped))).to(features.dtype)
