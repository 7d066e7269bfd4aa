"""`sda-tui export`: what is written, and one sentence for what cannot be."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.runs import RunDirectory
from sda_tui.cli import CANCELLED, DONE, FAILED, WRONG_USAGE, main
from tests.conftest import MakeRun
from tests.core.synthesis.export.models import write_checkpoint

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def run(uninterrupted: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A trained run in ./runs of the current folder."""
    monkeypatch.chdir(tmp_path)
    return RunDirectory(Path(shutil.copytree(uninterrupted.path, tmp_path / "runs" / "drums-001")))


def export(*words: str | Path) -> int:
    return main(["export", *map(str, words)])


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_export_writes_each_kind_and_prints_its_size(run: RunDirectory, capsys: Captured) -> None:
    status = main(
        ["export", "drums-001", "--to", "bundle,card", "--to", "nn", "--metrics", "csv", "--out", "out"]
    )
    assert status == DONE
    names = ["drums-001-metrics.csv", "drums-001.md", "drums-001.safetensors", "drums-001.ts"]
    assert written(Path("out")) == names
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split("  ")[0] for line in lines) == [
        str(Path("out", name).absolute()) for name in names
    ]
    assert all(line.endswith("B") for line in lines)
    rows = list(csv.DictReader(Path("out/drums-001-metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    card = Path("out/drums-001.md").read_text()
    assert "### `drums-001.ts`" in card


def test_export_json_is_one_document(run: RunDirectory, capsys: Captured) -> None:
    assert export(str(run.path), "--metrics", "json", "--steps", "--to", "bundle", "--json") == DONE
    files = json.loads(capsys.readouterr().out)["files"]
    assert [Path(file["path"]).name for file in files] == ["drums-001-metrics.json", "drums-001.safetensors"]
    assert all(Path(file["path"]).stat().st_size == file["size_bytes"] for file in files)
    document = json.loads(Path("drums-001-metrics.json").read_text())
    assert len(document["steps"]) == 16


def test_steps_have_a_csv_file_of_their_own(run: RunDirectory) -> None:
    assert export("drums-001", "--metrics", "csv", "--steps", "--out", "out") == DONE
    assert written(Path("out")) == ["drums-001-metrics.csv", "drums-001-steps.csv"]


def test_one_export_may_be_a_file_of_any_name(run: RunDirectory) -> None:
    assert export("drums-001", "--to", "bundle", "--out", "kit.v2.safetensors") == DONE
    assert Path("kit.v2.safetensors").is_file()


def test_a_bundle_takes_the_place_of_a_run(run: RunDirectory, capsys: Captured) -> None:
    assert export("drums-001", "--to", "bundle", "--licence", "CC0-1.0") == DONE
    shutil.rmtree(run.path)
    assert export("drums-001.safetensors", "--to", "card,torch", "--out", "out") == DONE
    assert written(Path("out")) == ["drums-001-decoder.pt2", "drums-001-encoder.pt2", "drums-001.md"]
    assert 'license: "CC0-1.0"' in Path("out/drums-001.md").read_text()


def test_checkpoint_can_be_chosen(run: RunDirectory) -> None:
    for which in ("newest", "8", "best", "step-000000016.pt"):
        out = f"{which[:4]}.md"
        assert export("drums-001", "--to", "card", "--checkpoint", which, "--out", out) == DONE
    assert "| epoch, step | 2, 16 |" in Path("newe.md").read_text()
    assert "| epoch, step | 1, 8 |" in Path("8.md").read_text()
    assert export(str(run.checkpoints / "step-000000008.pt"), "--to", "card", "--out", "x.md") == DONE
    assert Path("x.md").read_text() == Path("8.md").read_text()


def test_names_and_sounds_follow_the_options(run: RunDirectory) -> None:
    assert export("drums-001", "--to", "card,bundle", "--names", "--without-sounds", "--out", "a") == DONE
    assert export("drums-001", "--to", "card,bundle", "--out", "b") == DONE
    assert "tone-" in Path("a/drums-001.md").read_text()
    assert "tone-" not in Path("b/drums-001.md").read_text()
    assert Path("a/drums-001.safetensors").stat().st_size < Path("b/drums-001.safetensors").stat().st_size


def test_nothing_is_written_if_one_file_would_be_overwritten(run: RunDirectory, capsys: Captured) -> None:
    Path("out").mkdir()
    Path("out/drums-001.md").write_text("mine")
    words = ["drums-001", "--to", "bundle,card", "--metrics", "csv", "--out", "out"]
    assert export(*words) == FAILED
    error = capsys.readouterr().err
    assert "drums-001.md exists, and is not overwritten." in error
    assert "--overwrite" in error
    assert written(Path("out")) == ["drums-001.md"]
    assert export(*words, "--overwrite") == DONE
    assert Path("out/drums-001.md").read_text() != "mine"
    assert export(*words, "--overwrite") == DONE


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nothing", "--to", "bundle"], FAILED, "There is no run 'nothing'"),
        (["drums-001"], WRONG_USAGE, "Nothing is to be exported; choose from bundle"),
        (["drums-001", "--to", "mp3"], WRONG_USAGE, "There is no export 'mp3'; known are: bundle"),
        (["drums-001", "--metrics", "xls"], WRONG_USAGE, "no metrics as 'xls'"),
        (["drums-001", "--to", "bundle", "--steps"], WRONG_USAGE, "Steps are a part of metrics"),
        (["drums-001", "--to", "bundle", "--checkpoint", "999"], FAILED, "no checkpoint '999'"),
        (["drums-001", "--to", "bundle", "--out", "taken/x"], FAILED, "cannot be a folder"),
        (["drums-001", "--to", "bundle", "--out", "missing/x.safetensors"], FAILED, "There is no folder"),
        (["taken", "--to", "bundle", "--out", "out"], FAILED, "taken is damaged or no checkpoint"),
        (["taken", "--metrics", "csv"], WRONG_USAGE, "taken has no history; name a run"),
        (["taken", "--to", "card", "--checkpoint", "best"], WRONG_USAGE, "taken is a file already"),
    ],
)
def test_what_cannot_be_exported_is_explained_in_one_sentence(
    run: RunDirectory, capsys: Captured, words: list[str], status: int, message: str
) -> None:
    Path("taken").write_bytes(b"no model")
    assert export(*words) == status
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not list(Path().rglob("*.safetensors"))


def test_a_run_without_checkpoints_is_named(make_run: MakeRun, capsys: Captured) -> None:
    run = make_run("new")
    assert export(str(run.path), "--to", "bundle", "--out", str(run.path.parent / "out")) == FAILED
    assert "There is no checkpoint 'best'" in capsys.readouterr().err
    assert export(str(run.path), "--metrics", "csv", "--out", str(run.path.parent / "out")) == FAILED
    assert "new has no history yet" in capsys.readouterr().err


def test_a_checkpoint_beside_no_run_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "mine.pt")
    assert export("mine.pt", "--to", "bundle") == DONE
    assert Path("mine.safetensors").is_file()


@pytest.mark.slow
def test_metrics_load_no_engine(run: RunDirectory) -> None:
    code = (
        "import sys; from sda_tui.cli import main; "
        f"assert main(['export', {str(run.path)!r}, '--metrics', 'csv']) == 0; "
        "assert 'torch' not in sys.modules"
    )
    root = Path(__file__).parent.parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(root)})


def test_ctrl_c_leaves_no_part_of_a_file(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.synthesis.export.nn_tilde.write_target", interrupt)
    assert export("drums-001", "--to", "bundle,nn", "--out", "out") == CANCELLED
    assert written(Path("out")) == ["drums-001.safetensors"]
