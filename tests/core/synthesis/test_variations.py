"""Variations of sounds, and ways between them."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.audio.streaming import BLOCK_FRAMES
from core.config import GenerateSettings, JourneySettings, VarySettings
from core.synthesis.encoded import training_sound
from core.synthesis.making import Maker
from tests.making import alike, log_mel, make, read
from tests.sounds import tone

pytestmark = pytest.mark.slow


def test_variation_of_amount_0_is_the_sound(maker: Maker, tmp_path: Path) -> None:
    hit = (0.3 * tone(300.0, 0.4)).astype(np.float32)
    soundfile.write(tmp_path / "mine.wav", hit, 48_000, subtype="FLOAT")
    near, free = (
        next(iter(make(maker, tmp_path / str(a), VarySettings(1, 1, 1, a), tmp_path / "mine.wav").values()))
        for a in (0.0, 1.0)
    )
    original = log_mel(maker, hit)
    assert abs(len(read(near.path)) - len(hit)) <= 1
    assert alike(log_mel(maker, read(near.path)), original) > 0.97
    assert alike(log_mel(maker, read(free.path)), original) < 0.95


def test_variations_move_away_with_the_amount(maker: Maker, tmp_path: Path) -> None:
    source = training_sound(maker.bundle, 4)

    def distance(amount: float) -> float:
        made = make(maker, tmp_path / str(amount), VarySettings(4, 1, 8, amount), "#5")
        latents = torch.tensor([each.record["latent"] for each in made.values()])
        return float((latents - source.latent).norm(dim=1).mean())

    distances = [distance(amount) for amount in (0.0, 0.25, 0.5, 1.0)]
    assert distances[0] == 0
    assert distances == sorted(distances)


def test_generated_sound_is_taken_as_it_was_drawn(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, GenerateSettings(count=1, seed=6)).values()
    (varied,) = make(maker, tmp_path, VarySettings(1, 1, 1, 0.0), made.path).values()
    assert varied.record["latent"] == made.record["latent"]
    copied = Path(shutil.copy(made.path, tmp_path / "copied.wav"))  # nothing says how this one was made
    (varied,) = make(maker, tmp_path, VarySettings(1, 1, 1, 0.0), copied).values()
    assert varied.record["latent"] != made.record["latent"]


def test_steps_of_a_journey_begin_and_end_with_its_sounds(maker: Maker, tmp_path: Path) -> None:
    made = list(make(maker, tmp_path, JourneySettings(steps=5), "#1", "#6").values())
    first, last = (training_sound(maker.bundle, number) for number in (0, 5))
    for each, sound in ((made[0], first), (made[-1], last)):
        assert torch.allclose(torch.tensor(each.record["latent"]), sound.latent[0], atol=1e-6)
    between = [torch.tensor(each.record["latent"]) for each in made]
    steps = torch.stack([(b - a).norm() for a, b in pairwise(between)])
    assert torch.allclose(steps, steps.mean().expand(4), rtol=1e-4)


def test_continuous_journey_goes_from_sound_to_sound(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, JourneySettings(seconds=6.0, seed=1), "#1", "#8").values()
    sound = read(made.path)
    assert len(sound) == 6 * 48_000
    pitches = []
    for part in (sound[:48_000], sound[-48_000:]):
        spectrum = np.abs(np.fft.rfft(part))[100:]
        pitches.append((100 + int(np.argmax(spectrum))) * 48_000 / len(part))
    ends = [200.0 * 1.2 ** (int(maker.bundle.origin(number).path[4:6])) for number in (0, 7)]
    assert pitches == pytest.approx(ends, rel=0.06)
    assert np.abs(sound).max() <= 1


def test_journey_without_sounds_drifts_and_never_falls_silent(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, JourneySettings(seconds=12.0, seed=1, every=2.0)).values()
    sound = read(made.path)
    loudness = [float(np.abs(part).max()) for part in np.array_split(sound, 24)]
    assert min(loudness) > 0.01
    halves = [log_mel(maker, half).mean(1) for half in np.array_split(sound, 2)]
    assert float((halves[0] - halves[1]).abs().mean()) > 0.05


def test_joints_of_a_long_sound_are_no_rougher_than_the_rest(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, JourneySettings(seconds=20.0, seed=3), "#5", "#6", "#8").values()
    sound = read(made.path)
    flux = log_mel(maker, sound).diff(dim=1).abs().mean(0)
    step = np.abs(np.diff(sound))
    hop = maker.bundle.spectrogram.hop_length
    steps = np.array([part.max() for part in np.split(step, range(hop, len(step), hop))])[: len(flux)]
    chunk = maker.bundle.model.config.n_frames // 2
    for every in (BLOCK_FRAMES, chunk):
        at = np.zeros(len(flux), bool)
        for joint in range(every, len(flux), every):
            at[joint - 2 : joint + 2] = True
        assert flux[at].max() <= flux[~at].max()
        assert steps[at].max() <= steps[~at].max()
