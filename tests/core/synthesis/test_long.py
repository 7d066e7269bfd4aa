"""Spectrograms of any length: fades between chunks, ways between sounds, recordings through a model."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core.config import MorphSettings
from core.errors import Cancelled
from core.runs import RunDirectory
from core.synthesis import ModelBundle, load_bundle
from core.synthesis.encoded import interpolate, training_sound
from core.synthesis.long import SHORTEST_FRAMES, crossfade, glide, take_frames
from core.synthesis.morph import Recording, morph

ENDLESS = 10**9


@pytest.fixture(scope="module")
def bundle(trained: RunDirectory) -> ModelBundle:
    return load_bundle(trained.path)


def ramp(frames: int, start: float) -> torch.Tensor:
    return (start + torch.arange(frames, dtype=torch.float32)).expand(4, frames)


def test_chunks_that_agree_where_they_overlap_are_joined_unchanged() -> None:
    """Chunks of 10 share 5 frames, those of 6 with them 3."""
    chunks = [ramp(10, 0), ramp(10, 5), ramp(6, 12), ramp(10, 15)]
    joined = torch.cat(list(crossfade(chunks)), dim=1)
    assert torch.equal(joined, ramp(25, 0))


def test_weights_of_a_fade_rise_from_one_chunk_to_the_other() -> None:
    joined = torch.cat(list(crossfade([torch.zeros(1, 20), torch.ones(1, 20)])), dim=1)[0]
    assert joined.shape == (30,)
    assert torch.equal(joined[:10], torch.zeros(10))
    assert torch.equal(joined[20:], torch.ones(10))
    assert (joined[10:20].diff() > 0).all()
    assert torch.allclose(joined[10:20] + joined[10:20].flip(0), torch.ones(10), atol=1e-6)


@pytest.mark.parametrize("frames", [1, 7, 40])
def test_so_many_frames_are_taken_of_pieces_of_any_length(frames: int) -> None:
    pieces = (torch.ones(2, length) for length in itertools.cycle((3, 1, 5)))
    assert sum(piece.shape[1] for piece in take_frames(pieces, frames)) == frames


@pytest.mark.slow
def test_way_passes_its_waypoints_in_time(bundle: ModelBundle) -> None:
    sounds = [training_sound(bundle, number) for number in (0, 3, 7)]
    leg = 400.0
    frames = torch.cat(list(glide(bundle, sounds, leg, 1000)), dim=1)
    assert frames.shape == (bundle.spectrogram.n_mels, 1000)
    for number, sound in enumerate(sounds):
        around = frames[:, max(0, int(number * leg) - 20) : int(number * leg) + 20].mean(1)
        own = [each.log_mel(bundle)[0, 0, :, :SHORTEST_FRAMES].mean(1) for each in sounds]
        likeness = [float(torch.corrcoef(torch.stack([around, each]))[0, 1]) for each in own]
        assert likeness.index(max(likeness)) == number, sound.name


@pytest.mark.slow
def test_way_without_end_is_made_as_it_is_asked_for(bundle: ModelBundle) -> None:
    asked = itertools.count()
    waypoints = (training_sound(bundle, number % 8) for number in asked)
    pieces = glide(bundle, waypoints, 50.0, ENDLESS)
    made = sum(next(pieces).shape[1] for _ in range(20))
    assert next(asked) <= made / 50 + 4


@pytest.mark.slow
def test_way_can_be_cancelled(bundle: ModelBundle) -> None:
    with pytest.raises(Cancelled):
        next(glide(bundle, [training_sound(bundle, 0)], 50.0, ENDLESS, lambda: True))


def test_sound_between_two_begins_and_ends_as_they_are(bundle: ModelBundle) -> None:
    first, second = training_sound(bundle, 0), training_sound(bundle, 1)
    assert interpolate(first, second, 0.0) is first
    assert interpolate(first, second, 1.0) is second
    middle = interpolate(first, second, 0.5)
    assert torch.allclose(middle.latent, (first.latent + second.latent) / 2)
    assert torch.allclose(middle.residual, (first.residual + second.residual) / 2)
    assert middle.length_samples == round((first.length_samples + second.length_samples) / 2)


@pytest.mark.slow
def test_training_sound_with_its_residual_is_the_sound(bundle: ModelBundle) -> None:
    kept = bundle.latents.sounds
    assert kept is not None
    for number in range(len(kept)):
        wanted = kept.log_mel(torch.tensor([number]))
        assert torch.allclose(training_sound(bundle, number).log_mel(bundle), wanted, atol=1e-4)


class EndlessRecording(Recording):
    """Frames without end, counted as they are asked for."""

    def log_mel(self, bundle: ModelBundle, cancelled: object) -> Iterator[torch.Tensor]:
        for number in itertools.count():
            FRAMES.append(number)
            yield torch.full((bundle.spectrogram.n_mels, 100), 2.0) + torch.rand(1, 100)


FRAMES: list[int] = []


@pytest.mark.slow
@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_morph_reads_no_more_of_a_recording_than_it_needs(bundle: ModelBundle, amount: float) -> None:
    FRAMES.clear()
    recording = EndlessRecording(Path("endless.wav"), ENDLESS * 512, 0.0, 1.0)
    pieces = morph(bundle, recording, MorphSettings(amount=amount))
    made = sum(next(pieces).shape[1] for _ in range(30))
    assert 100 * len(FRAMES) <= made + 8 * bundle.model.config.n_frames + 200
