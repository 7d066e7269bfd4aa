"""Previews: the same clip and latents each time, as WAVs that anything can play."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.config import SpectrogramConfig, TrainingConfig
from core.errors import Cancelled
from core.events import PreviewReady
from core.model import VAE, build_model
from core.model.reconstruction import reconstruct
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.latents import fit_latents
from core.synthesis.previews import QUICK_REFINEMENT_STEPS, PreviewRenderer, preview_spectrograms
from core.synthesis.sounds import Origin, TrainingSounds
from tests.sounds import tone

SPECTROGRAM = SpectrogramConfig()
CONFIG = TrainingConfig(chunk_duration_s=0.25, latent_dim=4)


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    vae = build_model(CONFIG.resolved(1).model_config(SPECTROGRAM))
    vae.band_mean.fill_(1.0)
    return vae


def renderer(folder: Path, seed: int = 0, gain: float = 1.0, samples: int = 2) -> PreviewRenderer:
    clip = torch.from_numpy(gain * tone(440.0, 0.25)).float()
    log_mel = LogMelSpectrogram(SPECTROGRAM)(clip.unsqueeze(0))
    return PreviewRenderer(folder, SPECTROGRAM, clip, log_mel, "tone.wav", samples, seed)


def render(
    previews: PreviewRenderer, model: VAE, epoch: int, cancelled: Callable[[], bool] = lambda: False
) -> list[PreviewReady]:
    sounds = LogMelSpectrogram(SPECTROGRAM)(torch.from_numpy(tone(440.0, 0.25)).float().unsqueeze(0))
    latents = fit_latents(reconstruct(model, sounds))
    bundle = ModelBundle(model, SPECTROGRAM, latents, sounds.shape[-1])
    return list(previews.render(bundle, epoch, epoch * 10, cancelled))


def test_reconstruction_is_nearer_than_one_pass_of_the_encoder(tmp_path: Path, model: VAE) -> None:
    pitches = np.stack([tone(pitch, 0.25) for pitch in (440.0, 220.0, 330.0, 880.0)])
    log_mels = LogMelSpectrogram(SPECTROGRAM)(torch.from_numpy(pitches).float())
    model.initialise(log_mels, torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.to_latent.weight *= 0.2  # it begins with the nearest latents there are
    log_mel = log_mels[:1]
    render(renderer(tmp_path), model, 0)
    reconstruction = torch.from_numpy(np.load(tmp_path / "epoch-0000-reconstruction.npy"))
    with torch.no_grad():
        one_pass = model.decode(model.encode(log_mel)[0]).clamp(min=0)
    assert (reconstruction - log_mel).square().mean() < 0.9 * (one_pass - log_mel).square().mean()


def test_reconstruction_has_detail_of_the_training_sound_nearest_to_it(tmp_path: Path, model: VAE) -> None:
    """Here it is the clip itself, of which half is left to find."""
    clip = torch.from_numpy(tone(440.0, 0.25)).float()
    log_mel = LogMelSpectrogram(SPECTROGRAM)(clip.unsqueeze(0))
    latents = fit_latents(reconstruct(model, log_mel), sounds=TrainingSounds.quantised(log_mel))
    errors = []
    for detail in (0.0, 1.0):
        bundle = ModelBundle(model, SPECTROGRAM, latents, len(clip), detail=detail)
        (_, _, made, _), *_ = preview_spectrograms(bundle, log_mel, 0, 0)
        errors.append(float((made - log_mel).square().mean().sqrt()))
    assert errors[1] < 0.7 * errors[0]


def test_samples_name_the_sound_that_they_are_drawn_around(tmp_path: Path, model: VAE) -> None:
    """Not the one that lends its detail, which with two sounds is always the other one."""
    pitches = np.stack([tone(pitch, 0.25) for pitch in (440.0, 3300.0)])
    log_mels = LogMelSpectrogram(SPECTROGRAM)(torch.from_numpy(pitches).float())
    origins = [Origin("low.wav", 1), Origin("high.wav", 1)]
    latents = fit_latents(reconstruct(model, log_mels), origins=origins)
    bundle = ModelBundle(model, SPECTROGRAM, latents, pitches.shape[1])
    samples = preview_spectrograms(bundle, log_mels[:1], 6, 0)[1:]
    sources = [bundle.draw(1, generator(0, "preview latents", n)).sources for n in range(6)]
    assert [each.around for each in samples] == [origins[int(source)].path for source in sources]
    assert len({each.around for each in samples}) == 2


def test_first_previews_hold_the_original_and_all_are_valid_wavs(tmp_path: Path, model: VAE) -> None:
    ready = render(renderer(tmp_path), model, 0)
    assert [each.label for each in ready] == [
        "original · tone.wav", "resynthesis", "reconstruction", "sample 1", "sample 2"
    ]  # fmt: skip
    for each in ready:
        path = tmp_path.parent / each.path
        samples, sample_rate = soundfile.read(path)
        assert sample_rate == 48_000
        assert len(samples) == 12_000
        assert soundfile.info(path).subtype == "PCM_16"
        assert 0.5 < np.abs(samples).max() <= 1
        assert np.isfinite(samples).all()
        assert len(each.envelope) == 120
        assert max(each.envelope) == 1.0
    mel = np.load(tmp_path / "epoch-0000-sample-1.npy")
    assert mel.shape == (128, 24)


def test_resynthesis_is_the_inversion_of_the_original_alone(tmp_path: Path, model: VAE) -> None:
    render(renderer(tmp_path), model, 0)
    original, _ = soundfile.read(tmp_path / "original.wav", dtype="float32")
    resynthesis, _ = soundfile.read(tmp_path / "resynthesis.wav", dtype="float32")
    to_log_mel = LogMelSpectrogram(SPECTROGRAM)
    wanted = torch.from_numpy(np.load(tmp_path / "resynthesis.npy"))
    clip = torch.from_numpy(tone(440.0, 0.25)).float()
    assert torch.equal(wanted, to_log_mel(clip.unsqueeze(0))[0, 0])
    loud, again = (to_log_mel(torch.from_numpy(each).unsqueeze(0)) for each in (original, resynthesis))
    assert (loud - again).square().mean().sqrt() < 0.2 * loud.std()


def test_substitute_clip_comes_with_its_first_previews(tmp_path: Path, model: VAE) -> None:
    clip = torch.from_numpy(tone(440.0, 0.25)).float()
    log_mel = LogMelSpectrogram(SPECTROGRAM)(clip.unsqueeze(0))
    previews = PreviewRenderer(tmp_path, SPECTROGRAM, clip, log_mel, "tone.wav", 0, 0, is_substitute=True)
    assert [each.path.split("/")[-1] for each in render(previews, model, 5)] == [
        "epoch-0005-original.wav", "epoch-0005-resynthesis.wav", "epoch-0005-reconstruction.wav"
    ]  # fmt: skip
    assert [each.kind for each in render(previews, model, 10)] == ["reconstruction"]


def test_later_previews_leave_the_original_out(tmp_path: Path, model: VAE) -> None:
    render(renderer(tmp_path), model, 0)
    assert [each.kind for each in render(renderer(tmp_path), model, 5)] == [
        "reconstruction",
        "sample",
        "sample",
    ]
    assert (tmp_path / "epoch-0005-reconstruction.wav").exists()


def test_only_the_model_changes_from_one_preview_to_the_next(tmp_path: Path, model: VAE) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    render(renderer(tmp_path / "a"), model, 1)
    render(renderer(tmp_path / "a"), model, 2)
    render(renderer(tmp_path / "b", seed=1), model, 1)

    def read(name: str) -> bytes:
        return (tmp_path / name).read_bytes()

    assert read("a/epoch-0001-sample-1.wav") == read("a/epoch-0002-sample-1.wav")
    assert read("a/epoch-0001-sample-1.wav") != read("a/epoch-0001-sample-2.wav")
    assert read("a/epoch-0001-sample-1.wav") != read("b/epoch-0001-sample-1.wav")


def test_silent_clip_and_exploding_model_give_finite_sounds(tmp_path: Path, model: VAE) -> None:
    model.scale.fill_(1e9)
    for each in render(renderer(tmp_path, gain=0.0), model, 0):
        samples, _ = soundfile.read(tmp_path.parent / each.path)
        assert np.isfinite(samples).all()
        assert np.isfinite(each.envelope).all()


@pytest.mark.parametrize("checks", [3, QUICK_REFINEMENT_STEPS + 4])
def test_rendering_is_cancelled_in_refinement_and_in_inversion(
    tmp_path: Path, model: VAE, checks: int
) -> None:
    (tmp_path / "resynthesis.wav").touch()
    asked = itertools.count(1)
    with pytest.raises(Cancelled):
        render(renderer(tmp_path), model, 1, lambda: next(asked) > checks)
    assert checks + 2 <= next(asked) <= checks + 4  # each of the three sounds asks by itself
    assert [path.name for path in tmp_path.glob("*.wav")] == ["resynthesis.wav"]


def test_rendering_does_not_touch_the_random_state(tmp_path: Path, model: VAE) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    render(renderer(tmp_path), model, 1)
    assert torch.equal(torch.rand(3), expected)


def test_more_samples_leave_the_first_ones_as_they_are(tmp_path: Path, model: VAE) -> None:
    mels = {}
    for count in (0, 2, 4):
        folder = tmp_path / str(count)
        folder.mkdir()
        render(renderer(folder, samples=count), model, 0)
        mels[count] = [np.load(path) for path in sorted(folder.glob("*-sample-*.npy"))]
    assert [len(each) for each in mels.values()] == [0, 2, 4]
    np.testing.assert_allclose(mels[4][:2], mels[2], atol=1e-4)
    assert not np.allclose(mels[4][0], mels[4][3])
