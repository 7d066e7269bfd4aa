"""What may be in a checkpoint, whoever wrote it: plain values, and tensors that are what they seem."""

import math
from typing import Any

import torch
from torch import Tensor

DEEPEST = 12  # of containers in each other; ours are 5 deep
LARGEST_INTEGER = 1 << 53
LARGEST_FLOAT = 1e30  # far from where squares overflow


def require_plain(value: Any, depth: int = 0) -> None:
    """Raise ValueError for anything but finite numbers, text and tensors in dictionaries and lists.

    Infinity alone is allowed among the numbers that are no tensor's: it is the best loss before the first.
    """
    if depth > DEEPEST:
        raise ValueError("its values are nested too deeply")
    match value:
        case None | bool() | str():
            return
        case int() if abs(value) < LARGEST_INTEGER:
            return
        case float() if abs(value) < LARGEST_FLOAT or value == math.inf:
            return
        case dict():
            for name, each in value.items():
                if not isinstance(name, str):
                    raise ValueError("a name in it is no text")
                require_plain(each, depth + 1)
        case list() | tuple():
            for each in value:
                require_plain(each, depth + 1)
        case Tensor():
            _require_finite(value)
        case int() | float():
            raise ValueError("a number in it is not finite, or far too large")
        case _:
            raise ValueError(f"it holds a {type(value).__name__}")


def _require_finite(tensor: Tensor) -> None:
    if (
        tensor.layout != torch.strided
        or tensor.is_complex()
        or tensor.is_quantized
        or tensor.device.type != "cpu"
    ):
        raise ValueError("a tensor in it is not a plain one")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor in it is larger than its data")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError("a tensor in it has values that are not finite")
