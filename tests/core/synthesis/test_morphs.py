"""Recordings that are morphed by a trained model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch

from core.config import MorphSettings
from core.synthesis.encoded import training_sound
from core.synthesis.making import Maker
from tests.making import alike, log_mel, make, read
from tests.sounds import tone

pytestmark = pytest.mark.slow


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three seconds of hits that are not the model's own, stereo at 44.1 kHz."""
    rate = 44_100
    sound = np.zeros(3 * rate)
    for number in range(9):
        hit = tone(250.0 * 1.15**number, 0.5, rate)
        at = number * rate // 3
        sound[at : at + len(hit)] += 0.4 * hit[: len(sound) - at]
    soundfile.write(tmp_path / "played.wav", np.stack([sound, 0.9 * sound], axis=1), rate, subtype="FLOAT")
    return tmp_path / "played.wav"


def morphed(maker: Maker, to: Path, recording: Path, **settings: Any) -> tuple[np.ndarray, torch.Tensor]:
    plus = settings.pop("plus", ())
    (made,) = make(maker, to, MorphSettings(**settings), recording, plus=plus).values()
    sound = read(made.path)
    return sound, log_mel(maker, sound)


def test_morph_of_amount_0_is_the_recording(maker: Maker, tmp_path: Path, recording: Path) -> None:
    sound, again = morphed(maker, tmp_path, recording, amount=0.0)
    assert len(sound) == 3 * 48_000
    original = soxr.resample(soundfile.read(recording)[0].mean(1), 44_100, 48_000).astype(np.float32)
    wanted = log_mel(maker, original)
    assert alike(again, wanted) > 0.99
    envelopes = [np.convolve(np.abs(each), np.hanning(480), "same") for each in (sound, original)]
    shifted = [float(np.dot(np.roll(envelopes[0], shift), envelopes[1])) for shift in range(-96, 97, 8)]
    assert abs(int(np.argmax(shifted)) - 12) <= 2  # within 16 samples
    assert sound.std() == pytest.approx(original.std(), rel=0.1)  # at its own level


def test_morph_goes_from_the_recording_to_its_reconstruction(
    maker: Maker, tmp_path: Path, recording: Path
) -> None:
    nothing, half, all_of_it = (
        morphed(maker, tmp_path / str(amount), recording, amount=amount)[1] for amount in (0.0, 0.5, 1.0)
    )
    assert alike(nothing, all_of_it) < alike(nothing, half) < 0.999
    assert alike(nothing, all_of_it) < alike(half, all_of_it)
    bundle = maker.bundle
    chunk = nothing[None, None, :, : bundle.model.config.n_frames]
    reconstruction = bundle.reconstruct(chunk, bundle.encode(chunk))[0, 0]
    start = reconstruction[:, : bundle.model.config.n_frames // 2]  # before the next chunk fades in
    assert alike(all_of_it, start) > 0.9


def test_added_latents_move_the_morph_towards_a_sound(maker: Maker, tmp_path: Path, recording: Path) -> None:
    bundle = maker.bundle
    plain, moved = (
        morphed(maker, tmp_path / str(len(plus)), recording, plus=plus)[1] for plus in ((), ("#8",))
    )
    target = training_sound(bundle, 7).log_mel(bundle)[0, 0].mean(1)
    assert (moved.mean(1) - target).norm() < (plain.mean(1) - target).norm()


def test_morph_can_keep_the_envelope_of_the_recording(maker: Maker, tmp_path: Path, recording: Path) -> None:
    def envelope(log_mels: torch.Tensor) -> torch.Tensor:
        return log_mels.expm1().sum(0).clamp_min(1e-3).log()

    original = envelope(morphed(maker, tmp_path, recording, amount=0.0)[1])
    differences = {}
    for follow in ("off", "level", "envelope"):
        changed = envelope(morphed(maker, tmp_path / follow, recording, follow=follow, plus=("#8",))[1])
        differences[follow] = float((changed - original).abs().mean())
    assert differences["envelope"] < 0.5 * differences["off"]
    assert differences["envelope"] < differences["level"]
