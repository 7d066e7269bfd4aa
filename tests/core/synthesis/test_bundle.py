"""A model in use: from a run directory or a checkpoint alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.audio.writing import write_wav
from core.checkpoints.archive import read_checkpoint, serialise
from core.errors import CheckpointError, ConfigError
from core.runs import RunDirectory
from core.seeding import generator
from core.synthesis import load_bundle
from core.synthesis.bundle import RECONSTRUCTED_DETAIL
from core.synthesis.latents import LatentDistribution
from core.synthesis.previews import phase_generator, preview_spectrograms
from tests.conftest import MakeRun, create_run, write_tones
from tests.sounds import tone
from tests.training import train, train_to


@pytest.fixture(scope="module")
def orphan(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run whose dataset is gone."""
    folder = tmp_path_factory.mktemp("orphan")
    sounds = write_tones(folder / "sounds")
    run = create_run(folder, "run", sounds, {"preview_samples": 2})
    train(run)
    shutil.rmtree(sounds)
    return run


@pytest.mark.parametrize(("which", "epoch"), [("newest", 2), (8, 1)])
def test_bundle_renders_the_previews_of_the_run_bit_for_bit(
    orphan: RunDirectory, tmp_path: Path, which: str | int, epoch: int
) -> None:
    config = orphan.read_manifest().config
    bundle = load_bundle(orphan.path, which)
    clip_log_mel = torch.from_numpy(np.load(orphan.previews / "resynthesis.npy"))[None, None]
    previews = preview_spectrograms(bundle, clip_log_mel, config.preview_samples, config.seed)
    assert [each.label for each in previews] == ["reconstruction", "sample 1", "sample 2"]
    for _, label, log_mel, _ in previews:
        (sound,) = bundle.render(log_mel[None], [phase_generator(config.seed, label)])
        name = f"epoch-{epoch:04}-{label.replace(' ', '-')}"
        write_wav(tmp_path / f"{name}.wav", sound, bundle.spectrogram.sample_rate)
        assert (tmp_path / f"{name}.wav").read_bytes() == (orphan.previews / f"{name}.wav").read_bytes()
        assert np.array_equal(log_mel[0].numpy(), np.load(orphan.previews / f"{name}.npy"))


def test_bundle_encodes_draws_decodes_and_renders(orphan: RunDirectory) -> None:
    bundle = load_bundle(orphan.path)
    waveform = torch.from_numpy(tone(220.0, 0.25)).float()[None]
    log_mel = bundle.log_mel(waveform)
    latent = bundle.encode(log_mel)
    assert log_mel.shape == (1, 1, 128, 24)
    assert latent.shape == (1, 4)
    one_pass = bundle.encode(log_mel, steps=0)
    error, error_of_one_pass = (
        (bundle.decode(each) - log_mel).square().mean().sqrt() for each in (latent, one_pass)
    )
    assert error < error_of_one_pass
    assert error < log_mel.std()
    new = bundle.sample(3, generator(0, "test"))
    sounds = bundle.render(new, [generator(0, "phase", number) for number in range(3)])
    assert [sound.shape for sound in sounds] == [(12_000,)] * 3
    assert all(np.isfinite(sound).all() and np.abs(sound).max() > 0 for sound in sounds)
    with pytest.raises(ValueError, match=r"must be \[batch, 12000\]"):
        bundle.log_mel(waveform[:, :100])


def test_checkpoint_file_is_a_bundle_of_its_own(orphan: RunDirectory, tmp_path: Path) -> None:
    file = Path(shutil.copy(orphan.checkpoints / "best.pt", tmp_path / "mine.pt"))
    of_run, of_file = load_bundle(orphan.path), load_bundle(file)
    assert torch.equal(of_run.latents.means, of_file.latents.means)
    new = [bundle.sample(2, generator(1, "same")) for bundle in (of_run, of_file)]
    assert torch.equal(*new)


def test_gain_brings_sounds_to_the_level_of_training_and_back(orphan: RunDirectory, tmp_path: Path) -> None:
    state = read_checkpoint(orphan.checkpoints / "best.pt")
    state["task"]["gain"] *= 4
    del state["format_version"]
    file = tmp_path / "quiet.pt"
    file.write_bytes(serialise(state))
    plain, levelled = load_bundle(orphan.path), load_bundle(file)
    waveform = torch.from_numpy(0.2 * tone(220.0, 0.25)).float()[None]
    assert torch.allclose(levelled.log_mel(waveform), plain.log_mel(4 * waveform), atol=1e-5)
    log_mel = plain.log_mel(waveform)
    (loud,), (quiet,) = (each.render(log_mel, [generator(0, "phase")]) for each in (plain, levelled))
    np.testing.assert_allclose(loud, 4 * quiet, atol=1e-6)


def test_detail_is_what_decoding_leaves_out_of_the_sound_drawn_around(orphan: RunDirectory) -> None:
    bundle = load_bundle(orphan.path)
    alone = torch.arange(len(bundle.latents.means)).unsqueeze(1)  # no neighbours: nothing varies
    repeating = replace(bundle, latents=replace(bundle.latents, neighbours=alone, deviation=torch.zeros(4)))
    sources = repeating.draw(6, generator(0, "draws")).sources
    assert repeating.latents.sounds is not None
    training = repeating.latents.sounds.log_mel(sources)
    blurred, half, sharp = (repeating.sample(6, generator(0, "draws"), detail) for detail in (0.0, 0.5, 1.0))
    assert torch.equal(blurred, repeating.decode(bundle.latents.means[sources]))
    assert torch.allclose(sharp, training, atol=1e-4)
    inside = (half > 0) & (blurred > 0)
    assert torch.allclose(half[inside], ((blurred + training) / 2)[inside], atol=1e-4)


def test_detail_is_of_the_sound_whose_fine_latents_a_new_one_has(orphan: RunDirectory) -> None:
    bundle = load_bundle(orphan.path)
    still = replace(bundle, latents=replace(bundle.latents, bandwidth=0.0, deviation=torch.zeros(4)))
    drawn = still.draw(50, generator(0, "draws"))
    assert not (drawn.partners == drawn.sources).any()
    blurred, sharp = (still.sample(50, generator(0, "draws"), detail) for detail in (0.0, 1.0))
    is_sound = (blurred > 0) & (sharp > 0)  # elsewhere there was less than silence
    error = (sharp - blurred - still.residuals(drawn.partners)).abs()
    assert error[is_sound].max() < 1e-4


def test_a_reconstruction_gets_detail_of_the_training_sound_nearest_to_it(orphan: RunDirectory) -> None:
    bundle = load_bundle(orphan.path)
    assert bundle.latents.sounds is not None
    sources = torch.tensor([3, 0])
    given = bundle.latents.sounds.log_mel(sources) + 0.01
    assert bundle.latents.sounds.nearest(given).tolist() == [3, 0]
    latent = bundle.latents.means[[1, 2]]
    plain, textured = bundle.decode(latent), bundle.reconstruct(given, latent)
    is_sound = (plain > 0) & (textured > 0)  # elsewhere there was less than silence
    error = (textured - plain - RECONSTRUCTED_DETAIL * bundle.residuals(sources)).abs()
    assert error[is_sound].max() < 1e-4
    assert torch.equal(replace(bundle, detail=0.0).reconstruct(given, latent), plain)
    without = replace(bundle, latents=replace(bundle.latents, sounds=None))
    assert torch.equal(without.reconstruct(given, latent), plain)


def test_detail_of_the_run_is_the_default(orphan: RunDirectory) -> None:
    bundle = load_bundle(orphan.path)
    ours, given = (bundle.sample(2, generator(0, "draws"), detail) for detail in (None, 1.0))
    assert torch.equal(ours, given)
    assert not torch.equal(ours, bundle.sample(2, generator(0, "draws"), 0.0))


def test_bundle_without_the_training_sounds_makes_sounds_without_detail(orphan: RunDirectory) -> None:
    bundle = load_bundle(orphan.path)
    without = replace(bundle, latents=replace(bundle.latents, sounds=None))
    assert torch.equal(without.sample(2, generator(0, "draws")), bundle.sample(2, generator(0, "draws"), 0.0))
    with pytest.raises(ValueError, match="not kept"):
        without.residuals(torch.tensor([0]))


def test_checkpoints_of_a_run_without_detail_hold_no_sounds(make_run: MakeRun) -> None:
    run = make_run("blurred", detail=0)
    train(run)
    assert load_bundle(run.path).latents.sounds is None


def test_detail_that_is_set_to_0_leaves_no_sounds_in_new_checkpoints(
    orphan: RunDirectory, tmp_path: Path
) -> None:
    run = create_run(tmp_path, "run", write_tones(tmp_path / "sounds"), {"epochs": 50})
    train_to(run, 3)
    assert load_bundle(run.path, "newest").latents.sounds is not None
    manifest = run.read_manifest()
    run.change(manifest.with_settings({"detail": 0.0}, 3))
    train_to(run, 4)
    assert load_bundle(run.path, "newest").latents.sounds is None


def test_latents_of_256_chunks_take_a_fifth_of_a_megabyte() -> None:
    means, neighbours = torch.zeros(256, 64), torch.zeros(256, 102, dtype=torch.long)
    latents = LatentDistribution(means, neighbours, torch.zeros(64), 1.0)
    assert len(serialise({"latents": latents.state_dict()})) < 200_000


@pytest.mark.parametrize(
    ("which", "message"), [(5, "no checkpoint '5'"), ("oldest", "no checkpoint 'oldest'")]
)
def test_missing_checkpoint_is_named(orphan: RunDirectory, which: str | int, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_bundle(orphan.path, which)


def test_path_that_is_no_run_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(CheckpointError, match="neither a run nor a checkpoint"):
            load_bundle(path)


def test_unknown_device_is_named(orphan: RunDirectory) -> None:
    with pytest.raises(ConfigError, match="no device 'tpu'"):
        load_bundle(orphan.path, device="tpu")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("ema_model"),
        lambda state: state["config"].update(latent_dim=8),
        lambda state: state["config"].update(colour="red"),
        lambda state: state["spectrogram"].update(n_mels=64),
        lambda state: state["task"]["latents"].update(means=torch.zeros(3, 4)),
        lambda state: state["task"]["latents"].update(neighbours=torch.full((8, 4), 99, dtype=torch.int32)),
        lambda state: state["task"].pop("latents"),
        lambda state: state["task"]["latents"]["sounds"].update(largest=torch.ones(3)),
        lambda state: state["task"]["latents"]["sounds"].update(
            levels=torch.zeros(4, 128, 24, dtype=torch.uint8), largest=torch.ones(4)
        ),
        lambda state: state["task"].update(gain=0.0),
        lambda state: state.update(task=None),
    ],
)
def test_checkpoint_that_holds_no_usable_model_is_refused(
    orphan: RunDirectory, tmp_path: Path, change: object
) -> None:
    state = read_checkpoint(orphan.checkpoints / "best.pt")
    change(state)  # type: ignore[operator]
    del state["format_version"]
    file = tmp_path / "odd.pt"
    file.write_bytes(serialise(state))
    with pytest.raises(CheckpointError, match=r"odd\.pt"):
        load_bundle(file)


def test_sound_of_a_bundle_can_be_written_and_read(orphan: RunDirectory, tmp_path: Path) -> None:
    bundle = load_bundle(orphan.path)
    (sound,) = bundle.render(bundle.sample(1, generator(0, "new")), [generator(0, "phase")])
    write_wav(tmp_path / "new.wav", sound, bundle.spectrogram.sample_rate)
    assert soundfile.info(tmp_path / "new.wav").frames == bundle.chunk_samples
