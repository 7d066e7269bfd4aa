"""The variational autoencoders and their loss."""

from core.config import ModelConfig
from core.model.convolutional import ConvolutionalVAE
from core.model.pca_unet import PcaUnetVAE
from core.model.vae import VAE

__all__ = ["VAE", "build_model"]


def build_model(config: ModelConfig) -> VAE:
    """The model that the setting `model` names."""
    return PcaUnetVAE(config) if config.kind == "refined" else ConvolutionalVAE(config)
