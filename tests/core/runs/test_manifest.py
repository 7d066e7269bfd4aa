"""The description of a run: what it holds, and what is refused."""

import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.config import TrainingConfig
from core.errors import NameTakenError, RunError, RunsFolderError
from core.runs import RunDirectory, RunManifest
from tests.conftest import MakeRun, scan_folder
from tests.sounds import tone, write_tone


def test_a_run_holds_its_description(make_run: MakeRun, sounds: Path) -> None:
    run = make_run(learning_rate=0.002)
    manifest = run.read_manifest()
    assert manifest.config.learning_rate == 0.002
    assert manifest.config.batch_size == 2
    assert manifest.folder == str(sounds)
    assert len(manifest.files) == 8
    assert len(manifest.split.train) == len(manifest.split.validation) == 4
    assert manifest.software["torch"].startswith("2.11")
    assert manifest.created.endswith("+00:00")
    record = json.loads(run.run_file.read_text())
    assert record["format_version"] == 1


def test_the_configuration_of_a_run_is_resolved(sounds: Path) -> None:
    report = scan_folder(sounds)
    manifest = RunManifest.from_scan(report, "balanced", TrainingConfig())
    assert manifest.config.batch_size == max(1, manifest.split.training_chunks // 4)
    assert manifest.config.preview_interval == 5
    items = manifest.split.training_chunks * 10
    assert manifest.steps_per_epoch == -(-items // manifest.config.batch_size)


def test_file_names_that_are_not_utf8_are_kept(tmp_path: Path, make_run: MakeRun) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    name = os.fsdecode(b"latin-\xe9.wav")
    write_tone(folder / "plain.wav").rename(folder / name)
    manifest = make_run("odd", folder).read_manifest()
    assert manifest.files[0].path == name
    assert manifest.changed_files() == ()


def test_a_taken_name_is_refused(make_run: MakeRun) -> None:
    make_run("drums")
    with pytest.raises(NameTakenError, match=r"There is a run 'drums' in .*runs already") as taken:
        make_run("drums")
    assert taken.value.path.name == "drums"


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a b", "a\nb", "x" * 101, "-x"])
def test_a_name_that_cannot_be_a_folder_is_refused(make_run: MakeRun, name: str) -> None:
    with pytest.raises(RunError, match="cannot name a run"):
        make_run(name)


def test_a_root_that_cannot_be_written_is_reported(make_run: MakeRun, tmp_path: Path) -> None:
    manifest = make_run().read_manifest()
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(RunsFolderError, match=r"Cannot write the run to .*file/a \(Not a directory\)"):
        RunDirectory.create(blocked, "a", manifest)
    with pytest.raises(RunsFolderError, match="Cannot write the run to /proc/a"):
        RunDirectory.create(Path("/proc"), "a", manifest)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "Expecting value"),
        ("[]", "not a run's description"),
        ("{}", "format_version"),
        ('{"format_version": 99}', "its format version is 99, and this program reads 1"),
        ('{"format_version": 1}', "not a run's description"),
    ],
)
def test_an_invalid_description_is_refused(make_run: MakeRun, content: str, expected: str) -> None:
    run = make_run()
    run.run_file.write_text(content)
    with pytest.raises(RunError) as refusal:
        run.read_manifest()
    assert expected in str(refusal.value)


@pytest.mark.parametrize("path", ["../secret.wav", "/etc/passwd", "a/../../b.wav"])
def test_a_description_from_elsewhere_cannot_reach_outside_its_folder(make_run: MakeRun, path: str) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    record["files"][0]["path"] = path
    run.run_file.write_text(json.dumps(record))
    with pytest.raises(RunError, match="leaves the dataset folder"):
        run.read_manifest()


def test_sounds_that_are_not_as_they_were_are_listed(make_run: MakeRun, sounds: Path) -> None:
    manifest = make_run().read_manifest()
    assert manifest.changed_files() == ()
    (sounds / "tone-0.wav").unlink()
    (sounds / "tone-1.wav").touch()
    assert [file.path for file in manifest.changed_files()] == ["tone-0.wav", "tone-1.wav"]
    assert manifest.has_folder
    sounds.rename(sounds.with_name("elsewhere"))
    assert not manifest.has_folder
    assert len(manifest.changed_files()) == 8


def test_a_description_without_sources_is_of_a_whole_folder(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    del record["sources"]
    run.run_file.write_text(json.dumps(record))
    assert run.read_manifest().source_paths == (sounds,)
    run.run_file.write_text(json.dumps({**record, "sources": ["../other"]}))
    with pytest.raises(RunError, match="leaves the dataset folder"):
        run.read_manifest()


def test_other_software_versions_are_reported(make_run: MakeRun) -> None:
    manifest = make_run().read_manifest()
    assert manifest.software_changes() == []
    older = dataclasses.replace(manifest, software={**manifest.software, "torch": "2.0.0"})
    assert older.software_changes()[0].startswith("torch was 2.0.0 when the run began and is 2.11")


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch_size", None), ("chunk_duration_s", 1e9), ("latent_dim", "many"), ("epochs", -1)],
)
def test_a_description_with_bad_values_is_refused(make_run: MakeRun, field: str, value: object) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    record["config"][field] = value
    run.run_file.write_text(json.dumps(record))
    with pytest.raises(RunError, match="it is not a run's description"):
        run.read_manifest()


def test_another_spectrogram_is_refused_before_allocation(make_run: MakeRun) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    record["spectrogram"]["n_fft"] = 2**40
    run.run_file.write_text(json.dumps(record))
    with pytest.raises(RunError, match="spectrogram is not the one that this program computes"):
        run.read_manifest()


def write_levels(folder: Path) -> Path:
    """Six sounds whose peaks are 6 dB apart, the loudest at -6 dBFS."""
    folder.mkdir()
    for number in range(6):
        signal = tone(220.0 + 20 * number, 1.0)
        signal *= 10 ** (-6 * (number + 1) / 20) / np.abs(signal).max()
        soundfile.write(folder / f"{number}.wav", signal, 48_000, subtype="FLOAT")
    return folder


def gains_db(manifest: RunManifest) -> list[float]:
    """By file, the loudest first."""
    excerpts = (*manifest.split.train, *manifest.split.validation)
    return [20 * math.log10(each.gain) for each in sorted(excerpts, key=lambda each: each.path)]


@pytest.mark.parametrize(
    ("level", "gains", "gain"),
    [
        ("dataset", [5.0] * 6, 5.0),
        ("file", [5.0, 11.0, 17.0, 23.0, 29.0, 35.0], 0.0),
        ("off", [0.0] * 6, 0.0),
    ],
)
def test_sounds_are_brought_to_the_level_of_the_setting(
    tmp_path: Path, make_run: MakeRun, level: str, gains: list[float], gain: float
) -> None:
    run = make_run("levels", write_levels(tmp_path / "steps"), level=level)
    manifest = run.read_manifest()
    assert gains_db(manifest) == pytest.approx(gains, abs=0.01)
    assert 20 * math.log10(manifest.gain) == pytest.approx(gain, abs=0.01)


def test_a_run_of_a_version_without_levels_keeps_its_spectrogram(make_run: MakeRun) -> None:
    run = make_run(level="off", reference_gain=1, detail=0)
    record = json.loads(run.run_file.read_text())
    for side in ("train", "validation"):
        for each in record["split"][side]:
            del each["gain"]
    for name in ("level", "reference_gain", "detail"):
        del record["config"][name]
    del record["spectrogram"]["reference_gain"]
    del record["gain"]
    assert RunManifest.from_dict(record) == run.read_manifest()


@pytest.mark.parametrize("gain", [0, -1, 1e9, "loud", None, True])
def test_an_impossible_gain_is_refused(make_run: MakeRun, gain: object) -> None:
    record = json.loads(make_run().run_file.read_text())
    record["split"]["train"][0]["gain"] = gain
    with pytest.raises(RunError, match="not a run's description"):
        RunManifest.from_dict(record)
