"""A trained model in use: latents, spectrograms and sounds, without the dataset or the trainer."""
