"""Pictures of sound files: where tones lie, and how loud they are to each other."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.picture import BANDS, FRAMES, LOWEST_HZ, draw_spectrogram


def band_of(frequency_hz: float, rate: int = 48_000) -> int:
    return int(np.log(frequency_hz / LOWEST_HZ) / np.log(rate / 2 / LOWEST_HZ) * BANDS)


def sine(frequency_hz: float, seconds: float = 1.0, rate: int = 48_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize("frequency_hz", [400.0, 1000.0, 9000.0])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_tone_is_brightest_in_its_band(tmp_path: Path, frequency_hz: float, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, sine(frequency_hz), 48_000)
    levels = draw_spectrogram(path)
    assert levels.shape == (BANDS, FRAMES)
    middle = levels[:, FRAMES // 2]
    assert abs(int(middle.argmax()) - band_of(frequency_hz)) <= 1
    assert middle.max() == pytest.approx(255, abs=3)


def test_half_a_range_quieter_is_half_as_bright(tmp_path: Path) -> None:
    sound = np.concatenate([sine(1000.0), 0.01 * sine(1000.0)])
    soundfile.write(tmp_path / "a.wav", sound, 48_000, subtype="FLOAT")
    levels = draw_spectrogram(tmp_path / "a.wav").max(0)
    assert levels[FRAMES // 4] == pytest.approx(255, abs=2)
    assert levels[3 * FRAMES // 4] == pytest.approx(255 / 2, abs=3)


@pytest.mark.parametrize("samples", [1, 100, 3_000_000])
def test_any_length_is_drawn(tmp_path: Path, samples: int) -> None:
    soundfile.write(tmp_path / "a.wav", 0.1 * np.ones((samples, 2)), 8_000)
    levels = draw_spectrogram(tmp_path / "a.wav")
    assert levels.shape[0] == BANDS
    assert 1 <= levels.shape[1] <= FRAMES


def test_silence_is_dark_and_nothing_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(4800), 48_000)
    assert not draw_spectrogram(tmp_path / "a.wav").any()
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 48_000)
    with pytest.raises(ValueError, match="no sound"):
        draw_spectrogram(tmp_path / "b.wav")
