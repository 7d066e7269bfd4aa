"""Dropout that a processor does not spend its time on."""

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """`nn.Dropout`, but on a processor a random byte decides on each feature.

    torch draws a double-precision number for each there, which took an eighth of a training step.  The
    probability is rounded to a 256th.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Any shape to the same."""
        if not self.training or not features.is_cpu:
            return super().forward(features)
        hidden = min(round(256 * self.p), 255)
        words = torch.empty(-(-features.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        is_kept = words.view(torch.uint8)[: features.numel()].view_as(features) >= hidden
        return features * (is_kept * (256 / (256 - hidden))).to(features.dtype)
