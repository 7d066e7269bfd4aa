"""Writing WAV."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.writing import write_wav
from tests.conftest import read_wav
from tests.sounds import tone, write_tone


def test_a_written_wav_is_pcm_16_with_its_peak_below_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, 7 * tone(440.0, 0.1).astype(np.float32), 48_000)
    samples, sample_rate = read_wav(path)
    assert sample_rate == 48_000
    assert soundfile.info(path).subtype == "PCM_16"
    assert 0.88 < np.abs(samples).max() < 0.9


def test_silence_is_written_as_silence(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(100, np.float32), 48_000)
    assert not read_wav(tmp_path / "a.wav")[0].any()


def test_non_finite_samples_are_not_written_and_the_former_file_stays(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="finite"):
        write_wav(path, np.array([np.nan], np.float32), 48_000)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
