"""Leaving files out of a dataset."""

import json
from pathlib import Path

import pytest
import soundfile

from core.config import TrainingConfig
from core.data.plan import leave_out, replan
from core.data.report import Verdict
from core.errors import NoUsableSoundsError
from core.runs import RunManifest
from core.training.sounds import describe_new, find_sounds
from tests.conftest import MakeRun, scan_folder
from tests.sounds import tone, write_tone


def test_a_file_that_is_left_out_is_on_no_side_and_can_be_taken_in_again(sounds: Path) -> None:
    report = scan_folder(sounds)
    first = report.usable_files[0].path
    less = leave_out(report, {first}, 0)
    (file,) = (each for each in less.files if each.path == first)
    assert (file.verdict, file.usable, file.chunks) == (Verdict.LEFT_OUT, False, 0)
    assert first not in {each.path for each in (*less.split.train, *less.split.validation)}
    assert len(less.usable_files) == len(report.usable_files) - 1
    assert replan(less, 0.25, 3).files[report.files.index(report.usable_files[0])].verdict is Verdict.LEFT_OUT
    assert leave_out(report, set(), 0) == report


def test_the_suggestion_and_the_note_on_loud_files_follow(tmp_path: Path) -> None:
    for number in range(5):
        soundfile.write(tmp_path / f"{number}.wav", 0.005 * tone(220.0 + 40 * number, 1.0), 48_000, "PCM_24")
    write_tone(tmp_path / "hot.wav", 700.0)
    report = scan_folder(tmp_path)
    assert "hot.wav is" in report.notes[0]
    assert leave_out(report, {"hot.wav"}, 0).notes == ()


def test_the_run_keeps_what_was_left_out_and_does_not_call_it_new(
    sounds: Path, tmp_path: Path, make_run: MakeRun
) -> None:
    report = scan_folder(sounds)
    first = report.usable_files[0].path
    manifest = RunManifest.from_scan(leave_out(report, {first}, 0), "balanced", TrainingConfig())
    assert [file.path for file in manifest.left_out] == [first]
    assert first not in {file.path for file in manifest.files}
    assert RunManifest.from_dict(json.loads(json.dumps(manifest.to_dict()))) == manifest
    run = make_run("other")
    assert describe_new(find_sounds(run, manifest, lambda: False, lambda _: None)) == ""
    write_tone(sounds / "added.wav", 999.0)
    assert "1 file is new" in describe_new(find_sounds(run, manifest, lambda: False, lambda _: None))


def test_all_files_left_out_are_no_dataset(sounds: Path) -> None:
    report = scan_folder(sounds)
    none = leave_out(report, {file.path for file in report.files}, 0)
    with pytest.raises(NoUsableSoundsError):
        none.require_usable()
