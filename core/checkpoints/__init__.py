"""Checkpoints on disk: one file each, whole or absent, written beside the training."""
