"""`resume --from` and paths of checkpoints, as commands."""

from pathlib import Path

import pytest

from core.errors import SoundsNotFoundError
from core.runs import RunDirectory
from sda_tui.cli import main
from sda_tui.session import Session
from tests.conftest import Command, MakeRun
from tests.training import log_lines, train, train_to


def test_a_file_that_is_no_checkpoint_is_named(command: Command, make_run, tmp_path: Path) -> None:
    run: RunDirectory = make_run("broken")
    (run.checkpoints / "step-000000005.pt").write_bytes(b"no checkpoint at all")
    done = command("resume", "broken")
    assert done.returncode == 1
    assert "step-000000005.pt is damaged or no checkpoint" in done.stderr
    assert "Traceback" not in done.stderr


def test_resume_goes_back_in_a_new_run_or_in_itself(
    command: Command, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run("drums-001")
    train(run)
    assert command("resume", "drums-001").stderr.startswith(
        "sda-tui: drums-001 has finished its 2 epochs. To continue"
    )
    step_8 = run.checkpoints / "step-000000008.pt"
    done = command("resume", step_8, "--set", "kl_weight=2", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert (
        "A new run, drums-002, begins at step-000000008.pt of drums-001, which stays as it is."
        in done.stderr.replace("\n", "")
    )
    made = tmp_path / "runs" / "drums-002"
    assert [each["now"] for each in log_lines(made) if each["event"] == "settings"] == ["kl_weight=2"]
    assert log_lines(made)[-1]["state"] == log_lines(run.path)[-1]["state"] == "finished"
    done = command("resume", "drums-001", "--from", "8", "--rewind", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "drums-001 is back at step 8." in done.stderr
    assert "and the log until now are kept in" in done.stderr.replace("\n", " ")
    assert (run.path / "rewound-001" / "step-000000016.pt").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--from", "99"), 1, "There is no checkpoint '99' in"),
        (("--rewind",), 2, "add --from"),
        (("--from", "0", "--rewind", "--name", "x"), 2, "--name is for a new run"),
        (
            ("--from", "0", "--set", "latent_dim=9"),
            2,
            "latent_dim is fixed when a run begins, as the weights are made",
        ),
        (("--from", "0", "--name", "drums-001"), 1, "There is a run 'drums-001'"),
    ],
)
def test_going_back_that_cannot_be_is_refused_in_one_line(
    make_run: MakeRun,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    run = make_run("drums-001")
    train_to(run, 1)
    capsys.readouterr()
    assert main(["resume", str(run.path), *arguments]) == status
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in run.path.parent.iterdir()] == ["drums-001"]


@pytest.mark.parametrize("where", [(), ("--folder", "empty")])
def test_going_back_without_its_sounds_changes_nothing(
    make_run: MakeRun, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[str, ...]
) -> None:
    run = make_run("drums-001")
    train_to(run, 1)
    sounds.rename(tmp_path / "moved")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    log = run.events.read_bytes()
    for more in ((), ("--rewind",)):
        assert main(["resume", str(run.path), "--from", "0", *where, *more]) == 1
    with pytest.raises(SoundsNotFoundError):
        Session(run.path.parent).go_back(run, run.checkpoints / "step-000000000.pt", is_rewind=False)
    assert [path.name for path in run.path.parent.iterdir()] == ["drums-001"]
    assert run.events.read_bytes() == log
    assert not (run.path / "rewound-001").exists()
