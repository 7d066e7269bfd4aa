"""Models for export tests: initialised on noise that is shaped like sounds, their U-Net not zero."""

import dataclasses
from pathlib import Path

import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.checkpoints.archive import FORMAT_VERSION, State, serialise
from core.config import SettingValue, TrainingConfig
from core.model import build_model
from core.model.reconstruction import reconstruct
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.latents import fit_latents
from core.synthesis.sounds import TrainingSounds
from tests.settings import TINY
from tests.sounds import tone

CHUNKS = 12


def make_sounds(count: int, samples: int) -> torch.Tensor:
    """Decaying tones with a little noise, [count, samples]."""
    draws = generator(0, "sounds")
    tones = [
        torch.from_numpy(tone(110.0 * (1 + number), samples / 48_000)).float() for number in range(count)
    ]
    return torch.stack(tones) + 0.01 * torch.randn(count, samples, generator=draws)


def make_state(**settings: SettingValue) -> State:
    """The state of a checkpoint that nobody trained, without what only training needs."""
    config = TrainingConfig().with_settings({**TINY, **settings}).resolved(CHUNKS)
    samples = config.chunk_samples(config.spectrogram)
    log_mel = LogMelSpectrogram(config.spectrogram)(make_sounds(CHUNKS, samples))
    with torch.random.fork_rng():
        torch.manual_seed(0)  # else the weights are those of whatever ran before
        model = build_model(config.model_config(config.spectrogram)).eval()
    model.initialise(log_mel, generator(0, "initialise"))
    with torch.no_grad():
        for weight in model.parameters():  # a U-Net that starts as zero hides mistakes in its export
            weight += 0.02 * torch.randn(weight.shape, generator=generator(0, "weights", weight.numel()))
    sounds = TrainingSounds.quantised(log_mel) if config.detail else None
    latents = fit_latents(reconstruct(model, log_mel), sounds=sounds)
    return {
        "format_version": FORMAT_VERSION,
        "step": 80,
        "epoch": 10,
        "config": dataclasses.asdict(config),
        "spectrogram": dataclasses.asdict(config.spectrogram),
        "threads": torch.get_num_threads(),
        "ema_model": model.state_dict(),
        "task": {"latents": latents.state_dict(), "gain": 1.5},
    }


def write_checkpoint(path: Path, **settings: SettingValue) -> Path:
    """A checkpoint file of such a state."""
    state = make_state(**settings)
    del state["format_version"]
    path.write_bytes(serialise(state))
    return path


def same_bundles(mine: ModelBundle, theirs: ModelBundle) -> bool:
    """Whether two models are bit-identical, and their latents, but for the names of training sounds."""
    ours, others = mine.state_dict(), theirs.state_dict()
    for state in (ours, others):
        state["latents"]["origins"] = [each["length_samples"] for each in state["latents"]["origins"]]
    return _same(ours, others) and (mine.level, mine.chunk_samples) == (theirs.level, theirs.chunk_samples)


def _same(mine: object, theirs: object) -> bool:
    if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
        return mine.dtype == theirs.dtype and torch.equal(mine, theirs)
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(_same(mine[key], theirs[key]) for key in mine)
    return mine == theirs
