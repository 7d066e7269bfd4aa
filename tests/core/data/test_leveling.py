"""Quiet and loud files: which are used, what is reported of them; the split does not depend on level."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.data.plan import replan
from core.data.report import FileReport, Verdict
from tests.conftest import scan_folder
from tests.sounds import tone


def report_of(path: Path) -> FileReport:
    """The report on the one file of a folder."""
    (report,) = scan_folder(path.parent).files
    return report


def write_quiet(path: Path, peak_db: float, signal: np.ndarray) -> Path:
    """A signal of peak 1 at another level, in 24 bits."""
    soundfile.write(path, 10 ** (peak_db / 20) * signal / np.abs(signal).max(), 48_000, subtype="PCM_24")
    return path


@pytest.mark.parametrize("peak_db", [-62.0, -79.0])
def test_a_quiet_recording_is_used(tmp_path: Path, peak_db: float) -> None:
    hiss = 0.003 * np.random.default_rng(0).standard_normal(96_000)
    report = report_of(write_quiet(tmp_path / "field.wav", peak_db, tone(440.0, 2.0) + hiss))
    assert report.verdict is Verdict.USED
    assert report.chunks == 2
    assert report.peak_db == pytest.approx(peak_db, abs=0.1)


@pytest.mark.parametrize(("peak_db", "why"), [(-62.0, "its own noise"), (-85.0, "nothing above -80 dB")])
def test_a_recording_of_nothing_is_left_out(tmp_path: Path, peak_db: float, why: str) -> None:
    hiss = np.random.default_rng(0).standard_normal(96_000)
    report = report_of(write_quiet(tmp_path / "field.wav", peak_db, hiss))
    assert report.verdict is Verdict.MOSTLY_SILENT
    assert not report.usable
    assert why in report.detail


def test_loud_noise_is_a_sound_like_any_other(tmp_path: Path) -> None:
    hiss = np.random.default_rng(0).standard_normal(96_000)
    assert report_of(write_quiet(tmp_path / "rain.wav", -50.0, hiss)).verdict is Verdict.USED


def test_peak_and_loudness_of_each_file_are_reported(tmp_path: Path) -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(96_000) / 48_000)
    report = report_of(write_quiet(tmp_path / "sine.wav", -20.0, sine))
    assert report.peak_db == pytest.approx(-20.0, abs=0.01)
    assert report.loudness_lufs == pytest.approx(-23.0, abs=0.1)  # as BS.1770 defines it for this very tone


def test_a_file_much_louder_than_the_others_is_named(tmp_path: Path) -> None:
    for number in range(5):
        write_quiet(tmp_path / f"quiet-{number}.wav", -40.0, tone(220.0 + number, 1.0))
    assert scan_folder(tmp_path).notes == ()
    write_quiet(tmp_path / "hot.wav", -9.0, tone(440.0, 1.0))
    (note,) = scan_folder(tmp_path).notes
    assert note.startswith("hot.wav is 31 dB louder than half of the files")
    assert "level=file" in note
    assert replan(scan_folder(tmp_path), 0.5, 1).notes == (note,)


def test_the_same_sounds_at_another_level_are_divided_alike(tmp_path: Path) -> None:
    splits = []
    for name, level_db in (("loud", -3.0), ("quiet", -43.0)):
        (tmp_path / name).mkdir()
        for number in range(12):
            write_quiet(tmp_path / name / f"{number}.wav", level_db, tone(110.0 * (number + 1), 3.0)[number:])
        splits.append(scan_folder(tmp_path / name).split)
    assert splits[0] == splits[1]


def test_a_hiss_with_a_constant_offset_is_left_out_too(tmp_path: Path) -> None:
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(96_000) + 0.01
    soundfile.write(tmp_path / "field.wav", hiss, 48_000, subtype="PCM_24")
    report = report_of(tmp_path / "field.wav")
    assert not report.usable
    assert "its own noise" in report.detail
