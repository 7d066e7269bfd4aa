"""A trained model in use: latents, spectrograms and sounds, without the dataset or the trainer."""

from core.synthesis.bundle import ModelBundle, load_bundle

__all__ = ["ModelBundle", "load_bundle"]
