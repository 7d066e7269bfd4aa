"""`sda-tui generate`, `vary`, `journey` and `morph`, as a user types them."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.runs import RunDirectory
from sda_tui.cli import main
from tests.conftest import MakeRun

pytestmark = pytest.mark.slow


def outcome(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    status = 0
    try:
        status = main(shlex.split(line))
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_generate_prints_the_path_of_every_sound(
    trained: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (
        f"generate hits --runs {trained.path.parent} --count 3 --seed 5 --device cpu --out {tmp_path}/new"
    )
    status, out, err = outcome(capsys, f"{command} --format flac --sample-rate 44100 --level peak")
    assert status == 0
    assert err == f"3 sounds in {tmp_path}/new, seed 5.\n"
    for number, path in enumerate(out.splitlines(), 1):
        assert path == f"{tmp_path}/new/hits-e0002-s5-{number:03}.flac"
        samples, rate = soundfile.read(path)
        assert rate == 44_100
        assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    status, _, err = outcome(capsys, command + " --format flac")
    assert status == 1
    assert err == (
        f"sda-tui: {tmp_path}/new/hits-e0002-s5-001.flac exists, and is not overwritten. "
        "Choose another place with --out, or add --overwrite.\n"
    )
    status, out, _ = outcome(
        capsys, f"generate {trained.path} --again {path} --device cpu --out {tmp_path}/again"
    )
    assert status == 0
    assert Path(out.strip()).read_bytes() == Path(path).read_bytes()


def test_vary_journey_and_morph_take_sounds_and_print_json(
    trained: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = outcome(
        capsys, f"vary {trained.path} '#1' '#2' --count 2 --amount 0.2 --device cpu --out {tmp_path} --json"
    )
    assert status == 0
    made = json.loads(out)["sounds"]
    assert len(made) == 4
    first = made[0]["path"]
    for command, expected_s in (
        (f"journey {trained.path} '#1' {shlex.quote(first)} --seconds 1", 1.0),
        (f"journey {trained.path} --seconds 1 --every 1", 1.0),
        (f"morph {trained.path} {shlex.quote(first)} --amount 0.5 --plus '#3' --minus '#4'", None),
    ):
        status, out, _ = outcome(capsys, f"{command} --device cpu --out {tmp_path} --json")
        assert status == 0
        (record,) = json.loads(out)["sounds"]
        assert record["kind"] == command.split()[0]
        assert record["duration_s"] == pytest.approx(expected_s or made[0]["duration_s"])
        assert soundfile.info(record["path"]).duration == pytest.approx(record["duration_s"])


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("generate {run} --count 0", 2, "count must be 1 to 10000, not 0."),
        ("generate {run} --count=-3", 2, "count must be 1 to 10000, not -3."),
        ("generate {run} --count 1000000", 2, "count must be 1 to 10000, not 1000000."),
        ("generate {run} --count many", 2, "count must be a whole number from 1 to 10000, not 'many'."),
        ("generate {run} --temperature 9", 2, "temperature must be 0 to 3, not 9."),
        ("generate {run} --temperature nan", 2, "temperature must be 0 to 3, not nan."),
        ("generate {run} --detail 2", 2, "detail must be 0 to 1 or auto, not 2."),
        ("generate {run} --seconds 1e9", 2, "seconds must be 0.05 to 86400 or auto, not 1000000000."),
        ("generate {run} --seed=-1", 2, "seed must be 0 to 2147483647 or auto, not -1."),
        ("generate {run} --format mp3", 2, "format must be wav16 or wav24 or float or flac, not mp3."),
        ("generate {run} --sample-rate 3", 2, "sample_rate must be 8000 to 192000 or auto, not 3."),
        ("generate {run} --device tpu", 2, "There is no device 'tpu'"),
        ("generate {run} --checkpoint 77", 1, "There is no checkpoint '77' in {run}/checkpoints; there are "),
        ("generate {run} --again nothing.wav", 1, "Nothing says how nothing.wav was made; "),
        ("generate {run} --again nothing.wav --count 3", 2, "as it was; leave out --count."),
        ("generate {run}/checkpoints/best.pt --checkpoint 8", 2, "best.pt is a file already; name a run, or"),
        ("generate {run} --checkpoint ''", 2, "it is empty"),
        ("vary {run} '#٣'", 1, "#٣ cannot be used: there is no such file."),
        ("vary {run} /dev/zero", 1, "/dev/zero cannot be used: it cannot be read"),
        ("generate nowhere", 1, "There is no run 'nowhere' in "),
        ("generate README.md", 1, "README.md is damaged or no checkpoint"),
        ("vary {run}", 2, "the following arguments are required: SOUND"),
        ("vary {run} '#0'", 1, "There is no training sound #0; this model has #1 to #8."),
        ("vary {run} nothing.wav", 1, "nothing.wav cannot be used: there is no such file."),
        ("vary {run} '#1' --amount 1.5", 2, "amount must be 0 to 1, not 1.5."),
        ("journey {run} '#1'", 1, "A journey goes between two or more sounds"),
        ("journey {run} '#1' '#2' --steps 1", 2, "steps must be 2 to 1000 or auto, not 1."),
        ("morph {run} README.md", 1, "README.md cannot be used: "),
        ("morph {run} '#1'", 1, "#1 cannot be used: there is no such file"),
        ("morph {run} README.md --follow pitch", 2, "follow must be off or level or envelope, not pitch."),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_one_sentence(
    trained: RunDirectory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text("not a sound, and no model either")
    given = line.replace("{run}", str(trained.path))
    device = "" if "--device" in given else " --device cpu"
    result, out, err = outcome(capsys, f"{given}{device} --out {tmp_path}/out")
    assert (result, out) == (status, "")
    assert message.replace("{run}", str(trained.path)) in err
    assert err.startswith("sda-tui")
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("out/*.wav"))


@pytest.mark.parametrize(
    ("out", "message"),
    [("a.mp3", "a.mp3 cannot be written: sounds are WAV or FLAC."), ("''", "argument --out: it is empty")],
)
def test_places_that_are_none_are_refused(
    trained: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, out: str, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    status, _, err = outcome(capsys, f"generate {trained.path} --count 1 --device cpu --out {out}")
    assert status in (1, 2)
    assert message in err
    assert not list(tmp_path.rglob("*.wav"))


def test_run_without_checkpoints_is_one_sentence(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("fresh")
    status, _, err = outcome(capsys, f"generate {run.path} --device cpu")
    assert status == 1
    assert err == f"sda-tui: There is no checkpoint 'best' in {run.checkpoints}; there is none.\n"


def test_ctrl_c_keeps_what_is_complete(trained: RunDirectory, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sda_tui", "generate", str(trained.path), "--count", "5000"]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while len(list(tmp_path.glob("*.wav"))) < 3:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped; these are complete." in err
    assert sorted(out.splitlines()) == sorted(map(str, tmp_path.glob("*.wav")))
    for path in out.splitlines():
        assert soundfile.info(path).frames > 0
    assert len((tmp_path / "provenance.jsonl").read_text().splitlines()) == len(out.splitlines())
