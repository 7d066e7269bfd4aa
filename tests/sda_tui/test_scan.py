"""`sda-tui scan`, when a run knows the errors of some of the files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.runs import FILE_ERRORS
from sda_tui.headless.scan import scan_command
from tests.conftest import MakeRun
from tests.sda_tui.driving import an_epoch, write_run


@pytest.fixture
def hardest(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file with the largest error of those that a run held out."""
    monkeypatch.setenv("SDA_RUNS", str(tmp_path / "runs"))
    run = make_run("drums")
    write_run(run, replace(an_epoch(1, 1, 0.1), metrics={FILE_ERRORS: (1.0, 4.6, 2.0, 2.0)}))
    return run.read_manifest().split.validation_paths[1]


def test_scan_shows_the_errors_of_files_that_a_run_held_out(
    hardest: str, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan_command([sounds], as_json=False) == 0
    printed = capsys.readouterr().out
    (row,) = (line for line in printed.splitlines() if line.startswith(hardest))
    assert row.rstrip().endswith("2.3×")
    assert "the error of a file that run drums held out" in printed


def test_scan_reports_them_as_json(hardest: str, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan_command([sounds], as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["held_out_by"] == "drums"
    errors = {file["path"]: file["held_out_error"] for file in document["files"]}
    assert errors[hardest] == pytest.approx(2.3)
    assert sorted(each for each in errors.values() if each) == pytest.approx([0.5, 1.0, 1.0, 2.3])


def test_scan_without_runs_shows_no_such_column(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan_command([sounds], as_json=False) == 0
    assert "Held out" not in capsys.readouterr().out


def test_scan_shows_the_peak_and_the_loudness_of_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sine = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(96_000) / 48_000)
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "sine.wav", sine, 48_000)
    (folder / "notes.txt").write_text("no sound")
    assert scan_command([folder], as_json=False) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("sine.wav")]
    assert "−20.0  −23.0" in line
    assert scan_command([folder], as_json=True) == 0
    text, sound = json.loads(capsys.readouterr().out)["files"]
    assert (sound["peak_db"], sound["loudness_lufs"]) == (-20.0, pytest.approx(-23.0, abs=0.1))
    assert (text["peak_db"], text["loudness_lufs"]) == (None, None)
