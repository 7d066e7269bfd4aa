"""Settings of runs that are soon over."""

from core.config import SettingValue

# Small enough for a step of about 20 ms; still the real model, loss, augmentation and previews.
TINY: dict[str, SettingValue] = {
    "epochs": 2,
    "chunk_duration_s": 0.25,
    "latent_dim": 4,
    "width": 8,
    "augmentation_expansion": 1,
    "batch_size": 2,
    "preview_samples": 1,
    "preview_interval": 1,
    "checkpoint_interval": 1,
}
