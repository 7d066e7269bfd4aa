"""The variational autoencoders and their loss."""

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import nn

from core.config import ConvolutionalConfig, NetworkConfig, PcaUnetConfig
from core.model.convolutional import ConvolutionalVAE
from core.model.pca_unet import PcaUnetVAE
from core.model.vae import VAE

__all__ = ["VAE", "build_model", "copy_model"]

Model = TypeVar("Model", bound=nn.Module)

CPU = torch.device("cpu")
BUILDERS: Mapping[type[NetworkConfig], Callable[[Any], VAE]] = MappingProxyType(
    {PcaUnetConfig: PcaUnetVAE, ConvolutionalConfig: ConvolutionalVAE}
)


def build_model(config: NetworkConfig, device: torch.device = CPU) -> VAE:
    """A model of this shape on a device, with weights drawn at random on the CPU.

    On CUDA its convolutions have the memory format that they are fastest in.
    """
    model = BUILDERS[type(config)](config).to(device)
    if device.type == "cuda":
        model.to(memory_format=model.cuda_memory_format)  # type: ignore[call-overload]
    return model


def copy_model(model: Model) -> Model:
    """A copy with parameters of its own.  It shares the buffers, which training does not change."""
    return copy.deepcopy(model, {id(buffer): buffer for buffer in model.buffers()})
