"""What a program that loads an exported network has to know about it, as text."""

from collections.abc import Mapping

from core.synthesis.export.source import ModelSource

FACTS_FILE = "sda-tui.json"  # where a file that holds others has them


def network_facts(source: ModelSource) -> Mapping[str, str]:
    """Where a model comes from, its licences, and the numbers that its input and output follow from."""
    bundle, provenance = source.bundle, source.provenance
    spectrogram = bundle.spectrogram
    numbers = {
        "step": provenance.step,
        "epoch": provenance.epoch,
        "sample_rate": spectrogram.sample_rate,
        "chunk_samples": bundle.chunk_samples,
        "latent_dimensions": bundle.latents.means.shape[1],
        "n_fft": spectrogram.n_fft,
        "hop_length": spectrogram.hop_length,
        "mel_bands": spectrogram.n_mels,
        "mel_frames": spectrogram.frames(bundle.chunk_samples),
        "f_min_hz": spectrogram.f_min_hz,
        "f_max_hz": spectrogram.f_max_hz,
        "reference_gain": spectrogram.reference_gain,
        "level_gain": bundle.level.gain,
    }
    texts = {
        "run": provenance.run,
        "checkpoint": provenance.checkpoint,
        "checkpoint_sha256": provenance.checkpoint_sha256,
        "sounds_licence": provenance.sounds_licence,
        "model_licence": provenance.model_licence,
        "level": bundle.level.mode,
        "mel_scale": "slaney, filters with peak 1",
        "log_mel": "log(1 + reference_gain * mel power * level_gain^2)",
    }
    return texts | {name: f"{value:.9g}" for name, value in numbers.items()}
