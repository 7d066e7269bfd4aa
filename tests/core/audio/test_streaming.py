"""Spectrograms and inversion in blocks, against the same of a whole sound at once."""

import itertools

import numpy as np
import pytest
import torch

from core.audio.inversion import QUALITIES, InversionQuality, MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.audio.streaming import BLOCK_FRAMES, CONTEXT_FRAMES, StreamInverter, log_mel_frames
from core.config import SpectrogramConfig
from core.errors import Cancelled

CONFIG = SpectrogramConfig()
HOP = CONFIG.hop_length
QUICK = InversionQuality(starts=1, iterations=4, refinements=2)


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def chord(seconds: float) -> np.ndarray:
    """Three steady tones that swell and fade slowly."""
    time_s = np.arange(round(48_000 * seconds)) / 48_000
    sound = sum(np.sin(2 * np.pi * frequency_hz * time_s) for frequency_hz in (220.0, 277.2, 329.6))
    return (sound / 6 * (1 + 0.5 * np.sin(16 * time_s))).astype(np.float32)


def log_mel(samples: np.ndarray) -> torch.Tensor:
    return LogMelSpectrogram(CONFIG)(torch.from_numpy(samples)[None])[0, 0]


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(1)


LENGTHS = (2048, 2049, BLOCK_FRAMES * HOP, (BLOCK_FRAMES + 2) * HOP, (BLOCK_FRAMES + 2) * HOP - 1, 1_000_003)


@pytest.mark.parametrize("samples", LENGTHS)
def test_frames_in_pieces_are_those_of_the_whole_sound(samples: int) -> None:
    sound = noise(samples)
    pieces = list(log_mel_frames(np.split(sound, range(777, samples, 7001)), LogMelSpectrogram(CONFIG), 0.5))
    whole = log_mel(0.5 * sound)
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5)
    assert max(piece.shape[1] for piece in pieces) <= BLOCK_FRAMES + 3


def test_sound_shorter_than_a_window_has_the_frames_of_a_window() -> None:
    (piece,) = log_mel_frames([noise(100)], LogMelSpectrogram(CONFIG))
    assert torch.equal(piece, log_mel(np.pad(noise(100), (0, 1948))))


@pytest.mark.slow
def test_inversion_in_blocks_is_as_near_to_the_mel_as_at_once() -> None:
    wanted = log_mel(chord(10.0))
    pieces = torch.split(wanted, 100, dim=1)
    blocks = list(StreamInverter(MelInverter(CONFIG), draws())(pieces))
    samples = (wanted.shape[1] - 1) * HOP
    at_once = MelInverter(CONFIG)(wanted[None, None], samples, [draws()])[0].numpy()
    in_blocks = np.concatenate(blocks)
    assert len(blocks) == 3
    assert in_blocks.shape == at_once.shape
    errors = [float((log_mel(each) - wanted).square().mean().sqrt()) for each in (in_blocks, at_once)]
    assert errors[0] < 1.05 * errors[1]


@pytest.mark.slow
def test_blocks_join_without_a_step_or_a_change_of_spectrum() -> None:
    sound = chord(12.0)
    wanted = log_mel(sound)
    result = np.concatenate(list(StreamInverter(MelInverter(CONFIG), draws())([wanted])))
    flux = (log_mel(result).diff(dim=1) - wanted.diff(dim=1)).abs().mean(0)  # beyond what the sound has
    step = np.abs(np.diff(result))
    joints = range(BLOCK_FRAMES, wanted.shape[1] - CONTEXT_FRAMES, BLOCK_FRAMES)
    assert len(joints) == 2
    for joint in joints:
        around = slice(joint * HOP - 2048, joint * HOP + 2048)
        inner = step[4096 : joint * HOP - 4096]
        assert step[around].max() <= 1.02 * inner.max()
        assert flux[joint - 4 : joint + 4].max() <= flux[20 : joint - 20].max()


def test_inversion_takes_what_it_needs_of_an_endless_spectrogram() -> None:
    asked = itertools.count()
    pieces = (torch.ones(128, 50) * (next(asked) >= 0) for _ in itertools.count())
    stream = StreamInverter(MelInverter(CONFIG, QUICK), draws())(pieces)
    assert [len(next(stream)) for _ in range(3)][1:] == [BLOCK_FRAMES * HOP] * 2
    assert next(asked) * 50 < 3 * BLOCK_FRAMES + CONTEXT_FRAMES + 100


def test_known_beginning_is_continued_in_phase() -> None:
    sound = torch.from_numpy(chord(1.0))[None]
    known = sound[:, :24_000]
    inverter = MelInverter(CONFIG)
    wanted = LogMelSpectrogram(CONFIG)(sound)
    result = inverter(wanted, 48_000, [draws()], known=known)
    just_after = slice(24_000, 24_800)
    alike = np.corrcoef(result[0, just_after], sound[0, just_after])[0, 1]
    unknown = inverter(wanted, 48_000, [draws()])
    assert alike > 0.95
    assert alike > np.corrcoef(unknown[0, just_after], sound[0, just_after])[0, 1]


def test_inversion_in_blocks_can_be_cancelled() -> None:
    stream = StreamInverter(MelInverter(CONFIG, QUALITIES["fast"]), draws())
    with pytest.raises(Cancelled):
        next(stream([torch.ones(128, 900)], lambda: True))
