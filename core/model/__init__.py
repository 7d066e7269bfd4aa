"""The variational autoencoders and their loss."""

from core.config import ModelConfig
from core.model.convolutional import ConvolutionalVAE
from core.model.refined import RefinedVAE
from core.model.vae import VAE

__all__ = ["VAE", "build_model"]


def build_model(config: ModelConfig) -> VAE:
    """The model that the setting `model` names."""
    return RefinedVAE(config) if config.kind == "refined" else ConvolutionalVAE(config)
