"""The user's own clip: found, cut, kept, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.data.clip import check_clip, loudest_start, read_clip, write_clip
from core.errors import ConfigError
from tests.sounds import write_tone

RATE = 48_000


def read(path: Path, length_samples: int = 12_000) -> np.ndarray:
    return read_clip(path, RATE, length_samples, lambda: False)


def test_the_loudest_stretch_is_taken(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.01, 4 * RATE)
    samples[100_000:112_000] *= 30
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    clip = read(tmp_path / "a.wav")
    assert np.sum(clip**2) > 0.97 * np.sum(samples[100_000:112_000] ** 2)


@pytest.mark.parametrize("length", [1, 119, 120, 12_000, 12_001, 47_999])
def test_the_loudest_stretch_lies_within_the_sound(length: int) -> None:
    rising = np.linspace(0, 1, 48_000, dtype=np.float32)
    start = loudest_start(rising, length)
    assert 48_000 - length - max(1, length // 100) <= start <= 48_000 - length


def test_a_short_stereo_file_at_another_rate_is_mixed_resampled_and_padded(tmp_path: Path) -> None:
    clip = read(write_tone(tmp_path / "a.flac", 440.0, 0.1, samplerate=44_100, channels=2))
    assert clip.dtype == np.float32
    assert clip.shape == (12_000,)
    assert np.abs(clip[:4700]).max() > 0.3
    assert not clip[4900:].any()


def test_a_written_clip_is_read_back_exactly(tmp_path: Path) -> None:
    clip = 3 * read(write_tone(tmp_path / "a.wav", 440.0, 0.7))
    write_clip(tmp_path / "clip.wav", clip, RATE)
    assert np.array_equal(read(tmp_path / "clip.wav"), clip)


def test_a_file_that_is_no_clip_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    expected = {
        "none.wav": "there is no such file.",
        "notes.txt": "no sound",
        "empty.wav": "it is empty",
        "": "not",
    }
    for name, reason in expected.items():
        with pytest.raises(
            ConfigError, match=f"The preview clip .*{name} cannot be used: .*{reason}"
        ) as refusal:
            check_clip(str(tmp_path / name))
        assert "\n" not in str(refusal.value)
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    with pytest.raises(ConfigError, match="it is silent"):
        read(tmp_path / "silent.wav")
    check_clip("")
