"""Resident sounds and the chunks in them."""

import dataclasses

import numpy as np
import pytest
import torch

from core.audio.augmentation import Augmentation
from tests.core.data.stores import CHUNK, store_of
from tests.sounds import tone


def still(batch: int) -> Augmentation:
    """An augmentation that changes nothing."""
    zeros, ones = torch.zeros(batch), torch.ones(batch)
    return Augmentation(zeros.long(), zeros.long(), ones, ones, zeros, zeros, zeros.long())


def test_chunks_are_the_samples_to_int16_precision_of_the_sounds_own_peak() -> None:
    quiet, loud = 1e-3 * tone(440.0, 0.1), 5 * tone(300.0, 0.1)
    chunks = store_of(quiet, loud).chunks(torch.tensor([0, 1])).numpy()
    for chunk, signal in zip(chunks, (quiet, loud), strict=True):
        assert np.abs(chunk - signal[:CHUNK]).max() < np.abs(signal).max() / 32767


def test_a_short_sound_is_padded_with_zeros() -> None:
    signal = tone(440.0, 0.01)
    chunk = store_of(signal).chunks(torch.tensor([0]))[0].numpy()
    assert np.allclose(chunk[:480], signal, atol=1e-4)
    assert not chunk[480:].any()


def test_an_augmentation_that_changes_nothing_gives_the_chunk() -> None:
    sounds = store_of(tone(440.0, 0.1), tone(300.0, 0.01))
    index = torch.tensor([0, 1])
    assert torch.equal(sounds.crops(index, still(2)), sounds.chunks(index))


def test_a_crop_stays_inside_its_sound_and_a_shift_need_not() -> None:
    ramp = np.linspace(-1, 1, 4800)
    sounds = store_of(ramp, starts=(0.05,))  # sample 2400
    index = torch.tensor([0])
    for crop, first in ((-100, 2300), (10_000, 3800), (-10_000, 0)):
        moved = dataclasses.replace(still(1), crop_samples=torch.tensor([crop]))
        assert np.allclose(sounds.crops(index, moved)[0], ramp[first : first + CHUNK], atol=1e-4)
    beyond = dataclasses.replace(
        still(1), crop_samples=torch.tensor([10_000]), shift_samples=torch.tensor([300])
    )
    shifted = sounds.crops(index, beyond)[0].numpy()
    assert np.allclose(shifted[:700], ramp[4100:], atol=1e-4)
    assert not shifted[700:].any()


def test_a_short_sound_is_placed_anywhere_in_the_chunk() -> None:
    signal = tone(440.0, 0.01)
    sounds = store_of(signal)
    for crop, offset in ((-200, 200), (-5000, CHUNK - 480), (300, 0)):
        moved = dataclasses.replace(still(1), crop_samples=torch.tensor([crop]))
        chunk = sounds.crops(torch.tensor([0]), moved)[0].numpy()
        assert np.allclose(chunk[offset : offset + 480], signal, atol=1e-4)


@pytest.mark.parametrize("speed", [0.94, 1.06])
def test_speed_moves_pitch_and_time_alike(speed: float) -> None:
    sounds = store_of(tone(2000.0, 0.2))
    faster = dataclasses.replace(still(1), speed=torch.tensor([speed]), gain=torch.tensor([0.5]))
    chunk = sounds.crops(torch.tensor([0]), faster)[0].numpy()
    time_s = np.arange(CHUNK) * speed / 48_000
    expected = 0.5 * np.interp(time_s, np.arange(9600) / 48_000, tone(2000.0, 0.2))
    assert np.abs(chunk - expected).max() < 0.01


def test_the_loudest_chunk_is_found_with_its_file() -> None:
    sounds = store_of(tone(440.0, 0.1), 2 * tone(440.0, 0.1), tone(100.0, 0.1))
    assert sounds.loudest(lambda: False) == 1
    assert sounds.path_of(1) == "1.wav"
