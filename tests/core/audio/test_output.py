"""Sounds as files for use elsewhere, read back by libsndfile and ffmpeg's own reader of levels."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.levels import NORMALISED_PEAK
from core.audio.loudness import LoudnessMeter
from core.audio.output import FADE_S, TARGET_LUFS, SoundWriter
from core.config import OutputSettings
from core.errors import Cancelled, FileTakenError, OutputError
from tests.conftest import file_size_limit
from tests.sounds import tone

SOUND = (0.5 * tone(440.0, 1.0)).astype(np.float32)
FADE = round(FADE_S * 48_000)


def write(path: Path, samples: np.ndarray = SOUND, **settings: object) -> np.ndarray:
    writer = SoundWriter(OutputSettings(**settings), 48_000)
    assert writer.suffix == path.suffix
    written = writer.write(path, np.split(samples, range(999, len(samples), 9973)))
    read, rate = soundfile.read(path, dtype="float32")
    assert rate == (settings.get("sample_rate") or 48_000)
    assert written == (len(read) / rate, False)
    return read


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("wav16", "PCM_16", 2**-15),
        ("wav24", "PCM_24", 2**-23),
        ("float", "FLOAT", 0),
        ("flac", "PCM_24", 2**-23),
    ],
)
def test_samples_are_kept_in_every_format(tmp_path: Path, name: str, subtype: str, step: float) -> None:
    path = tmp_path / ("a.flac" if name == "flac" else "a.wav")
    read = write(path, format=name)
    assert soundfile.info(path).subtype == subtype
    assert np.abs(read[:-FADE] - SOUND[:-FADE]).max() <= step


def test_same_sound_is_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    for number, name in enumerate(("wav16", "wav24", "float")):
        first, later = tmp_path / f"a{number}.wav", tmp_path / f"b{number}.wav"
        write(first, format=name)
        if name == "float":
            time.sleep(1.1)  # libsndfile notes the second in such a file
        write(later, format=name)
        assert first.read_bytes() == later.read_bytes()


def test_end_fades_out(tmp_path: Path) -> None:
    read = write(tmp_path / "a.wav", np.full(4800, 0.5, np.float32), format="float")
    assert read[-1] == 0
    assert np.array_equal(read[: 4800 - FADE], np.full(4800 - FADE, 0.5, np.float32))
    assert (np.diff(read[-FADE:]) < 0).all()


def test_other_sample_rates_keep_the_pitch_and_the_length(tmp_path: Path) -> None:
    read = write(tmp_path / "a.wav", sample_rate=44_100)
    assert abs(len(read) - 44_100) <= 1
    assert np.argmax(np.abs(np.fft.rfft(read))) * 44_100 / len(read) == pytest.approx(440, abs=1)


def test_peak_and_loudness_are_as_asked_for(tmp_path: Path) -> None:
    assert np.abs(write(tmp_path / "a.wav", level="peak")).max() == pytest.approx(NORMALISED_PEAK, abs=1e-4)
    meter = LoudnessMeter(48_000)
    meter.add(write(tmp_path / "b.wav", 0.1 * SOUND, level="loudness"), is_quiet=False)
    assert meter.loudness_lufs == pytest.approx(TARGET_LUFS, abs=0.1)


@pytest.mark.parametrize("level", ["dataset", "peak", "loudness"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 40.0])
def test_nothing_clips_at_any_level(tmp_path: Path, level: str, scale: float) -> None:
    click = np.zeros(48_000, np.float32)
    click[100:110] = scale
    read = write(tmp_path / "a.wav", click, level=level, format="float")
    assert np.abs(read).max() <= max(NORMALISED_PEAK, min(scale, 1.0)) + 1e-6


@pytest.mark.parametrize("level", ["dataset", "peak", "loudness"])
def test_silence_stays_silence(tmp_path: Path, level: str) -> None:
    assert not write(tmp_path / "a.wav", np.zeros(4800, np.float32), level=level).any()


def test_no_file_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"mine")
    with pytest.raises(FileTakenError, match=r"a\.wav exists, and is not overwritten"):
        SoundWriter(OutputSettings(), 48_000).write(path, [SOUND])
    assert path.read_bytes() == b"mine"
    SoundWriter(OutputSettings(), 48_000, is_replacing=True).write(path, [SOUND])
    assert soundfile.info(path).frames == len(SOUND)


def test_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    def blocks() -> Iterator[np.ndarray]:
        yield SOUND
        path.write_bytes(b"another's")

    with pytest.raises(FileTakenError):
        SoundWriter(OutputSettings(), 48_000).write(path, blocks())
    assert path.read_bytes() == b"another's"
    assert list(tmp_path.iterdir()) == [path]


def test_cancelled_sound_is_complete_up_to_there(tmp_path: Path) -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield SOUND[:10_000]
        raise Cancelled

    written = SoundWriter(OutputSettings(format="float"), 48_000).write(tmp_path / "a.wav", blocks())
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert written == (10_000 / 48_000, True)
    assert np.array_equal(read[: 10_000 - FADE], SOUND[: 10_000 - FADE])
    assert read[-1] == 0


def test_nothing_is_left_of_a_sound_that_was_cancelled_at_once(tmp_path: Path) -> None:
    def blocks() -> Iterator[np.ndarray]:
        raise Cancelled
        yield SOUND

    written = SoundWriter(OutputSettings(), 48_000).write(tmp_path / "a.wav", blocks())
    assert written == (0, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "limit"), [("float", 300_000), ("float", 3_840_020), ("flac", 30_000)])
def test_nothing_is_left_of_a_sound_that_does_not_fit(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, limit: int
) -> None:
    """The samples as they come, the file itself, which has a header more, and one that a library writes."""
    path = tmp_path / ("a.flac" if name == "flac" else "a.wav")
    sounds = [SOUND] if name == "flac" else itertools.repeat(SOUND, 20)
    with file_size_limit(limit), pytest.raises(OutputError, match=r"a\.\w+ cannot be written \(File"):
        SoundWriter(OutputSettings(format=name), 48_000).write(path, sounds)
    assert not list(tmp_path.iterdir())
    assert "Traceback" not in capfd.readouterr().err


def test_samples_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite"):
        SoundWriter(OutputSettings(), 48_000).write(tmp_path / "a.wav", [np.full(100, np.nan, np.float32)])
    assert not list(tmp_path.iterdir())
