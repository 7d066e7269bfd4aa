"""Errors of the engine with what to type then."""

from pathlib import Path

import pytest

from core.errors import (
    ConfigError,
    NameTakenError,
    NoUsableSoundsError,
    RunFinishedError,
    RunNotFoundError,
    RunsFolderError,
    RunStoppedError,
    SdaError,
)
from sda_tui.advice import command, explain


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            NameTakenError(Path("/runs/drums")),
            "There is a run 'drums' in /runs already. Choose another with --name, or continue that run with "
            "`sda-tui resume /runs/drums`.",
        ),
        (
            RunNotFoundError("x", Path("/my runs")),
            "There is no run 'x' in /my runs. `sda-tui runs --runs '/my runs'` lists the runs.",
        ),
        (
            RunFinishedError(Path("/runs/drums"), 10),
            "drums has finished its 10 epochs. To continue it, give it more: "
            "`sda-tui resume /runs/drums --set epochs=20`.",
        ),
        (
            RunStoppedError(Path("/runs/drums"), 61, 41, 20),
            "drums stopped at epoch 61, as early_stopping is 20 and no epoch since 41 was better. "
            "To continue it, give it longer: `sda-tui resume /runs/drums --set early_stopping=40`; "
            "early_stopping=0 trains to its last epoch.",
        ),
        (
            NoUsableSoundsError([Path("/sounds")], {"unsupported": 2, "clipped": 1}),
            "Nothing in /sounds can be used (2 unsupported, 1 clipped); choose a folder with sounds in it. "
            "`sda-tui scan /sounds` shows the reason for each file.",
        ),
        (
            RunsFolderError("runs is not a folder."),
            "runs is not a folder. Choose another place with --runs or $SDA_RUNS.",
        ),
        (ConfigError("epochs must be 1."), "epochs must be 1."),
    ],
)
def test_an_error_is_explained_with_a_complete_command(error: SdaError, expected: str) -> None:
    assert explain(error) == expected


def test_a_command_works_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("scan", Path("kick drums")) == f"`sda-tui scan '{tmp_path}/kick drums'`"
