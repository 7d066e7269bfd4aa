"""The table of runs, as the command prints it (its screen is in the snapshots), and names of datasets."""

from pathlib import Path

import pytest

from core.runs import summarise
from sda_tui.headless.runs import runs_command
from sda_tui.look import describe_sources
from sda_tui.summary_columns import SUMMARY_COLUMNS
from tests.conftest import MakeRun
from tests.sda_tui.driving import a_step, an_epoch, write_run


def test_the_command_prints_every_column_of_the_table(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(make_run("tones"), a_step(1, 0.5), an_epoch(3, 2, 0.1))
    assert runs_command(tmp_path / "runs", as_json=False) == 0
    heads, row = capsys.readouterr().out.splitlines()[:2]
    assert heads.split() == " ".join(column.head for column in SUMMARY_COLUMNS).split()
    for cell in ("tones", "! interrupted", "0/2", "balanced", "1.100", "0.2000 @2", "just now"):
        assert cell in row


def test_an_untrained_run_has_dashes_for_its_losses(make_run: MakeRun) -> None:
    summary = summarise(make_run("tones"))
    cells = {column.head: column.cell(summary, summary.modified_s + 300) for column in SUMMARY_COLUMNS}
    assert (cells["Epoch"], cells["Age"]) == ("0/2", "5 min ago")
    assert cells["Best loss"] == cells["RMSE"] == "–"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/a/drums"], "/a/drums"),
        (["drums"], "drums"),
        (["/a/drums", "/a/take.wav"], "drums and take.wav in /a"),
        (["/a/b", "c", "~/d"], "a/b, usr/c and usr/me/d in /"),
        (["/a/b/../c", "/a"], "a/c and a in /"),
        (["~nosuchuser/x", "/usr/y"], "~nosuchuser/x and y in /usr"),
        ([f"/a/{number}.wav" for number in range(9)], "0.wav, 1.wav and 7 more in /a"),
    ],
)
def test_what_was_chosen_is_described_however_it_was_written(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], expected: str
) -> None:
    monkeypatch.setenv("HOME", "/usr/me")
    monkeypatch.chdir("/usr")
    assert describe_sources([Path(path) for path in paths]) == expected
