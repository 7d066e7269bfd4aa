"""Augmentation: drawn from its seed, in its ranges, with its probabilities."""

import math

import pytest
import torch

from core.audio.augmentation import NOISE_BANK_SAMPLES, add_noise, draw_augmentation, noise_bank
from core.config import TrainingConfig

CHUNK = 48_000
ALWAYS = {
    f"{name}_probability": 1.0
    for name in ("gain", "time_shift", "pitch_shift", "speed", "noise", "random_crop")
}
NEVER = dict.fromkeys(ALWAYS, 0.0)


def draw(config: TrainingConfig, batch: int = 4000, seed: int = 0):
    return draw_augmentation(config, batch, CHUNK, torch.Generator().manual_seed(seed))


def test_ranges_are_those_of_the_settings_help() -> None:
    drawn = draw(TrainingConfig().with_settings(ALWAYS))
    for values, largest in (
        (drawn.crop_samples / CHUNK, 0.5),
        (drawn.shift_samples / CHUNK, 0.1),
        (20 * torch.log10(drawn.gain), 6.0),
        (drawn.pitch_semitones, 3.0),
        (drawn.speed - 1, 0.18),
    ):
        assert 0.95 * largest < float(values.abs().max()) <= largest * (1 + 1e-4)
        assert abs(float(values.float().mean())) < 0.05 * largest
    noise_db = 20 * torch.log10(drawn.noise_gain)
    assert -60.001 < float(noise_db.min()) < float(noise_db.max()) < -39.999
    assert 0 <= int(drawn.noise_offset.min()) <= int(drawn.noise_offset.max()) < NOISE_BANK_SAMPLES


@pytest.mark.parametrize("name", ALWAYS)
def test_each_transform_happens_with_its_own_probability(name: str) -> None:
    drawn = draw(TrainingConfig().with_settings({**NEVER, name: 0.3}))
    happens = {
        "random_crop_probability": drawn.crop_samples != 0,
        "time_shift_probability": drawn.shift_samples != 0,
        "gain_probability": drawn.gain != 1,
        "pitch_shift_probability": drawn.pitch_semitones != 0,
        "speed_probability": drawn.speed != 1,
        "noise_probability": drawn.noise_gain != 0,
    }
    for other, flags in happens.items():
        expected = 0.3 if other == name else 0.0
        assert math.isclose(float(flags.float().mean()), expected, abs_tol=0.03), other


def test_strength_zero_turns_all_off_but_the_crop() -> None:
    drawn = draw(TrainingConfig().with_settings({**ALWAYS, "augmentation_strength": 0.0}))
    assert (drawn.gain == 1).all()
    assert (drawn.speed == 1).all()
    assert not drawn.shift_samples.any()
    assert not drawn.pitch_semitones.any()
    assert not drawn.noise_gain.any()
    assert drawn.crop_samples.any()


def test_the_draw_follows_from_the_seed_alone() -> None:
    config = TrainingConfig()
    assert all(map(torch.equal, vars(draw(config)).values(), vars(draw(config)).values()))
    assert not torch.equal(draw(config).gain, draw(config, seed=1).gain)


def test_noise_is_relative_to_the_sound_and_spares_silence() -> None:
    config = TrainingConfig().with_settings({**NEVER, "noise_probability": 1.0})
    drawn = draw(config, batch=2)
    waveform = torch.zeros(2, CHUNK)
    waveform[0] = torch.sin(torch.arange(CHUNK) * 0.05)
    noisy = add_noise(waveform, drawn, noise_bank())
    added = (noisy - waveform).square().mean(1).sqrt()
    level_db = 20 * math.log10(float(added[0] / waveform[0].square().mean().sqrt()))
    assert abs(level_db - 20 * math.log10(float(drawn.noise_gain[0]))) < 0.2
    assert float(added[1]) == 0
