"""A sound of the dataset, to be played."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.data.audition import LONGEST_S, write_audition
from core.errors import DatasetError
from tests.conftest import read_wav
from tests.sounds import tone, write_tone


def test_any_sound_becomes_mono_wav_at_48_khz(tmp_path: Path) -> None:
    given = write_tone(tmp_path / "a.flac", 440.0, 0.5, samplerate=44_100, channels=2)
    write_audition(given, tmp_path / "out.wav", lambda: False)
    samples, rate = read_wav(tmp_path / "out.wav")
    assert rate == 48_000
    assert samples.shape == (24_000,)
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=0.01)
    assert np.corrcoef(samples, tone(440.0, 0.5))[0, 1] > 0.99


def test_of_a_long_sound_the_first_minute_is_played(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000 * 90).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", noise, 8000)
    write_audition(tmp_path / "long.wav", tmp_path / "out.wav", lambda: False)
    assert len(read_wav(tmp_path / "out.wav")[0]) == LONGEST_S * 48_000


def test_what_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    for name in ("notes.txt", "gone.wav"):
        with pytest.raises(DatasetError, match=f"{name} cannot be played: "):
            write_audition(tmp_path / name, tmp_path / "out.wav", lambda: False)
    assert not (tmp_path / "out.wav").exists()
