"""The variational autoencoders and their loss."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from core.config import ConvolutionalConfig, NetworkConfig, PcaUnetConfig
from core.model.convolutional import ConvolutionalVAE
from core.model.pca_unet import PcaUnetVAE
from core.model.vae import VAE

__all__ = ["VAE", "build_model"]


BUILDERS: Mapping[type[NetworkConfig], Callable[[Any], VAE]] = MappingProxyType(
    {PcaUnetConfig: PcaUnetVAE, ConvolutionalConfig: ConvolutionalVAE}
)


def build_model(config: NetworkConfig) -> VAE:
    """A model of this shape, with random weights."""
    return BUILDERS[type(config)](config)
