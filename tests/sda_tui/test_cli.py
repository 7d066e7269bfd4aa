"""The commands, run as their user runs them."""

import io
import json
import os
import re
import shlex
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from core.errors import NoLiveRunError
from core.events import RunState
from core.runs import RunDirectory, find_live_run, list_runs, summarise
from sda_tui import format as fmt
from sda_tui.cli import main
from sda_tui.headless.runs import print_table
from tests.conftest import TINY, Command, MakeRun
from tests.sounds import encode, tone, wav_that_hangs_libsndfile, write_tone
from tests.training import log_lines

QUICK = [
    part
    for setting in ("chunk_duration_s=0.25", "latent_dim=4", "width=8", "augmentation_expansion=1")
    for part in ("--set", setting)
]


def test_scan_prints_files_totals_split_and_suggestion(sda_tui: Command, sounds: Path) -> None:
    (sounds / "notes.txt").write_text("x")
    done = sda_tui("scan", sounds)
    assert done.returncode == 0
    assert "tone-3.wav" in done.stdout
    assert "✗ unsupported" in done.stdout
    for word in ("8 files", "4 of 8 files are held out", "Suggested preset: conservative"):
        assert word in done.stdout.replace("\n", " ")
    assert done.stderr == ""


def test_scan_json_is_one_document(sda_tui: Command, sounds: Path) -> None:
    write_tone(sounds / "Glöckchen 🔔.wav", 999.0, 0.1)
    done = sda_tui("scan", sounds, "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    document = json.loads(done.stdout)
    paths = {file["path"] for file in document["files"]}
    assert "Glöckchen 🔔.wav" in paths
    assert all({"path", "verdict", "detail"} <= set(file) for file in document["files"])
    assert document["totals"]["files"] == document["totals"]["usable_files"] == 9
    train, validation = set(document["split"]["train"]), set(document["split"]["validation"])
    assert not train & validation
    assert train | validation == paths
    assert document["suggested_preset"] == "conservative"


def test_what_decoders_print_is_not_in_the_json(sda_tui: Command, sounds: Path) -> None:
    """libsndfile prints "Error A : B0" on standard output when a block of an SDS is damaged."""
    data = bytearray(encode(tone(440.0, 0.2), format="SDS", subtype="PCM_16"))
    data[21] ^= 0x40
    (sounds / "damaged.sds").write_bytes(data)
    done = sda_tui("scan", sounds, "--json")
    assert len(json.loads(done.stdout)["files"]) == 9
    assert "Error A" not in done.stderr


def test_a_hanging_file_is_named_and_ends_no_scan(sda_tui: Command, sounds: Path) -> None:
    (sounds / "hangs.wav").write_bytes(wav_that_hangs_libsndfile())
    done = sda_tui("scan", sounds, "--json")
    (verdict,) = (file for file in json.loads(done.stdout)["files"] if not file["usable"])
    assert verdict["path"] == "hangs.wav"
    assert "never ends" in verdict["detail"]


def test_scan_of_nothing_usable_fails_with_a_message(sda_tui: Command, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("x")
    done = sda_tui("scan", folder, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["files"][0]["verdict"] == "unsupported"
    assert "can be used (1 unsupported)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_decoders_do_not_write_across_the_output(sda_tui: Command, sounds: Path) -> None:
    """libmpg123 writes warnings about a cut file to file descriptor 2."""
    path = write_tone(sounds / "cut.mp3", 440.0, 2.0)
    path.write_bytes(path.read_bytes()[:5000])
    assert sda_tui("scan", sounds, "--json").stderr == ""


def test_train_runs_resume(sda_tui: Command, command: Command, sounds: Path, tmp_path: Path) -> None:
    done = sda_tui(
        "train", sounds, "--preset", "balanced", "--set", "epochs=2", *QUICK, "--name", "tones", "--seed", "3"
    )
    assert done.returncode == 0, done.stderr
    assert "Finished after" in done.stderr
    run = tmp_path / "runs" / "tones"
    printed = re.findall(r"epoch \d/2 .*validation (\S+)", done.stderr)
    measured = [each["validation_loss"] for each in log_lines(run) if each["event"] == "epoch"]
    assert printed == [fmt.number(loss) for loss in measured]
    record = json.loads((run / "run.json").read_text())
    assert (record["preset"], record["config"]["seed"], record["config"]["epochs"]) == ("balanced", 3, 2)
    assert (run / "checkpoints" / "best.pt").exists()
    for wav in (run / "previews").glob("*.wav"):
        samples, sample_rate = soundfile.read(wav)
        assert sample_rate == 48_000
        assert 0 < np.abs(samples).max() <= 1

    listed = sda_tui("runs", "--json")
    (summary,) = json.loads(listed.stdout)
    assert (summary["name"], summary["state"], summary["epoch"]) == ("tones", "finished", 2)
    assert "✓ finished" in sda_tui("runs").stdout

    again = command("resume", "tones")
    assert again.returncode == 1
    assert "has finished its 2 epochs" in again.stderr

    extended = command("resume", "tones", "--set", "epochs=3")
    assert extended.returncode == 0, extended.stderr
    steps = [event["step"] for event in log_lines(run) if event["event"] == "step"]
    assert steps == list(range(1, len(steps) + 1))
    assert [event["epoch"] for event in log_lines(run) if event["event"] == "epoch"] == [1, 2, 3]


def test_real_sounds_from_scan_to_previews(command: Command, sonic_pi: Path, tmp_path: Path) -> None:
    scanned = json.loads(command("scan", sonic_pi, "--json").stdout)
    verdicts = {file["path"]: file["verdict"] for file in scanned["files"]}
    assert len([path for path in verdicts if path.endswith(".flac")]) == 165
    assert {verdicts[path] for path in verdicts if path.endswith(".flac")} <= {
        "used", "padded", "mostly silent", "clipped", "duplicate"
    }  # fmt: skip
    assert scanned["suggested_preset"] == "balanced"

    some = sorted(sonic_pi.glob("*.flac"))[::8]
    settings = ("--set", "epochs=2", "--set", "augmentation_expansion=1", "--set", "width=16")
    done = command("train", *some, "--preset", "balanced", *settings, "--name", "real")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "real"
    losses = [event["validation_loss"] for event in log_lines(run) if event["event"] == "epoch"]
    assert losses[1] < losses[0]
    steps = [event["step"] for event in log_lines(run) if event["event"] == "step"]
    assert steps == list(range(1, len(steps) + 1))
    assert (run / "checkpoints" / "best.pt").exists()
    previews = sorted((run / "previews").glob("*.wav"))
    assert {path.name.split("-", 2)[-1] for path in previews} >= {"reconstruction.wav", "sample-1.wav"}
    for path in previews:
        samples, sample_rate = soundfile.read(path)
        assert sample_rate == 48_000
        assert np.isfinite(samples).all()
        assert 0.5 < np.abs(samples).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ["train", "{sounds}", "--set", "epochs=three"],
            2,
            "epochs must be a whole number from 1 to 100000, not 'three'.",
        ),
        (["train", "{sounds}", "--set", "epochs=-1"], 2, "epochs must be 1 to 100000, not -1."),
        (["train", "{sounds}", "--set", "lerning_rate=1"], 2, "did you mean 'learning_rate'?"),
        (["train", "{sounds}", "--preset", "fast"], 2, "There is no preset 'fast'; choose conservative"),
        (["train", "{sounds}", "--seed", "x"], 2, "seed must be a whole number"),
        (["train", "{sounds}", "--device", "tpu"], 2, "There is no device 'tpu' here; choose"),
        (
            ["train", "{sounds}", "--set", "preview_clip=gone.wav"],
            2,
            "clip gone.wav cannot be used: there is no",
        ),
        (["train", "{sounds}", "--name", "a/b"], 1, "'a/b' cannot name a run"),
        (["train", "{sounds}", "--runs", "/proc"], 1, "Cannot write the run to /proc/sounds-001"),
        (["train"], 2, "the following arguments are required: FOLDER"),
        (["train", "{sounds}/gone"], 1, "There is no file or folder"),
        (["train", ""], 2, "argument FOLDER: it is empty"),
        (["scan", "{sounds}", " "], 2, "argument FOLDER: it is empty"),
        ([""], 2, "argument FOLDER: it is empty"),
        (["train", "{sounds}", "--runs", ""], 2, "argument --runs: it is empty"),
        (["train", "{sounds}", "--name", ""], 2, "argument --name: it is empty"),
        (["train", "{sounds}", "--preset", ""], 2, "argument --preset: it is empty"),
        (["train", "{sounds}", "--device", ""], 2, "argument --device: it is empty"),
        (["train", "{sounds}", "--seed", ""], 2, "seed must be a whole number"),
        (["resume", ""], 2, "argument RUN: it is empty"),
        (["attach", ""], 2, "argument RUN: it is empty"),
        (["runs", "--runs", ""], 2, "argument --runs: it is empty"),
        (["resume", "gone"], 1, "There is no run 'gone'"),
        (["resume", "gone", "--set", "epochs"], 2, "write KEY=VALUE"),
        (["scan", "~nosuchuser/x"], 1, "There is no user 'nosuchuser'"),
        (["resume", "x" * 300], 1, "There is no run"),
        (["runs", "--runs", "~nosuchuser/x"], 1, "There is no user 'nosuchuser'"),
        (["fly", "--there"], 2, "unrecognized arguments: --there"),
    ],
)
def test_bad_input_gets_one_line_and_its_status(
    sounds: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        returned = main([argument.format(sounds=sounds) for argument in arguments])
    except SystemExit as stopped:
        returned = int(str(stopped.code))
    stderr = capfd.readouterr().err
    assert returned == status
    assert message in stderr
    assert stderr.count("\n") == 1
    assert "Traceback" not in stderr
    assert not (tmp_path / "runs").exists()


def test_files_and_folders_are_trained_on_together(command: Command, sounds: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    for index in range(4):
        (sounds / f"tone-{index}.wav").rename(more / f"tone-{index}.wav")
    chosen = [more, sounds / "tone-4.wav", sounds / "tone-5.wav", more / "tone-0.wav"]
    document = json.loads(command("scan", *chosen, "--json").stdout)
    assert (document["folder"], document["totals"]["usable_files"]) == (str(tmp_path), 6)
    assert document["sources"] == ["more", "sounds/tone-4.wav", "sounds/tone-5.wav", "more/tone-0.wav"]
    settings = [
        word for name, value in {**TINY, "epochs": 1}.items() for word in ("--set", f"{name}={value}")
    ]
    done = command("train", *chosen, *settings)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    paths = [file.path for file in RunDirectory(run).read_manifest().files]
    assert paths == [
        *(f"more/tone-{index}.wav" for index in range(4)),
        "sounds/tone-4.wav",
        "sounds/tone-5.wav",
    ]


def test_new_sounds_are_named_with_the_command_that_trains_on_all(
    command: Command, make_run: MakeRun, sounds: Path, tmp_path: Path
) -> None:
    run = make_run("first-one", epochs=1)
    assert command("resume", run.path).returncode == 0
    write_tone(sounds / "new.wav", 999.0)
    done = command("resume", run.path, "--set", "epochs=2")
    assert done.returncode == 0, done.stderr
    assert "1 file is new; this run continues without it." in done.stderr
    (typed,) = re.findall(r"`sda-tui (train [^`]*)` trains on all", " ".join(done.stderr.split()))
    assert shlex.split(typed) == ["train", str(sounds), "--from", str(run.path)]
    done = command(*shlex.split(typed), "--set", "epochs=1", "--set", "augmentation_expansion=1")
    assert done.returncode == 0, done.stderr
    assert "Started from best.pt of first-one" in done.stderr
    manifest = RunDirectory(tmp_path / "runs" / "sounds-001").read_manifest()
    assert len(manifest.files) == 9
    assert (manifest.config.latent_dim, manifest.config.chunk_duration_s) == (4, 0.25)
    refused = command("train", sounds, "--from", run.name, "--set", "latent_dim=32")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "latent_dim is 4 in the model of first-one" in refused.stderr


def test_resume_finds_its_sounds_in_another_folder(
    command: Command, make_run: MakeRun, sounds: Path, tmp_path: Path
) -> None:
    run = make_run(epochs=1)
    moved = sounds.rename(tmp_path / "on another disk")
    done = command("resume", run.path)
    assert done.returncode == 1
    assert "The folder" in done.stderr
    assert f"add --folder and their path to `sda-tui resume {run.path}`." in done.stderr
    assert summarise(run).state is RunState.INTERRUPTED
    done = command("resume", run.path, "--folder", moved)
    assert done.returncode == 0, done.stderr
    assert "8 of its 8 sounds are in" in done.stderr
    assert run.read_manifest().folder == str(moved)


def test_the_app_needs_a_terminal(sda_tui: Command, sounds: Path) -> None:
    done = sda_tui(sounds)
    assert done.returncode == 1
    assert f"needs a terminal; `sda-tui train {sounds}` works without one" in done.stderr


def test_an_empty_list_of_runs_names_the_next_step(sda_tui: Command) -> None:
    done = sda_tui("runs")
    assert done.returncode == 0
    assert "Start one with" in done.stdout
    assert json.loads(sda_tui("runs", "--json").stdout) == []


def test_attach_takes_the_newest_live_run(make_run, tmp_path: Path, sda_tui: Command) -> None:
    runs = [make_run(name) for name in ("old", "live", "dead")]
    with pytest.raises(NoLiveRunError, match="is being trained"):
        find_live_run(tmp_path / "runs")
    done = sda_tui("attach")
    assert done.returncode == 1
    assert done.stderr.startswith("sda-tui: No run in runs is being trained.")
    for run, age_s in zip(runs, (20, 10, 0), strict=True):
        os.utime(run.events, (1e9 - age_s, 1e9 - age_s))
    for run in runs[:2]:
        run.lock.acquire()
    assert find_live_run(tmp_path / "runs").name == "live"
    for run in runs[:2]:
        run.lock.release()


@pytest.mark.parametrize("width", [80, 200])
def test_runs_with_long_names_are_readable_at_any_width(make_run, tmp_path: Path, width: int) -> None:
    names = [f"a-run-with-a-name-of-some-sixty-letters-as-folders-have-them-{number:03}" for number in (1, 2)]
    for name in names:
        make_run(name, epochs=5000)
    output = io.StringIO()
    print_table(Console(file=output, width=width), list_runs(tmp_path / "runs"), time.time())
    lines = output.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) == (3 if width == 200 else 5)
    for name in names:
        (row,) = (number for number, line in enumerate(lines) if line.lstrip().startswith(name))
        assert "0/5000" in lines[row if width == 200 else row + 1]


def test_help_names_every_command(sda_tui: Command) -> None:
    done = sda_tui("--help")
    assert done.returncode == 0
    for word in ("--demo", "scan", "train", "resume", "runs"):
        assert word in done.stdout


def test_a_mistyped_command_is_not_taken_for_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["attac"])
    assert ended.value.code == 2
    assert "did you mean 'attach'?" in capsys.readouterr().err
