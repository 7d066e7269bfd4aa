"""Names, values and messages from elsewhere: shown as they are, never taken for markup, never steering."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.widgets import Input

from core.errors import RunError
from core.events import CheckpointSaved, PreviewReady, RunState, StateChanged, Warned, WarningKind, to_json
from core.runs import RunDirectory
from sda_tui.cli import main
from sda_tui.headless.console import Output
from sda_tui.safe_text import safe_segments
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.runs import RunsScreen
from tests.conftest import MakeRun, write_tones
from tests.sda_tui.driving import a_step, running, to_settings, toasts, until

LOOKS_LIKE_MARKUP = ("[/x]", "[red]", "[@click=app.quit]x[/]", "[bold")
STEERING = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u2028\r\n"
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def screen_text(app: object) -> str:
    """What the terminal would show now."""
    lines = app.screen._compositor.render_strips()  # type: ignore[attr-defined]
    return "\n".join("".join(segment.text for segment in line) for line in lines)


@pytest.mark.parametrize("name", LOOKS_LIKE_MARKUP)
async def test_what_looks_like_markup_is_shown_as_it_is(tmp_path: Path, make_run: MakeRun, name: str) -> None:
    folder = write_tones(tmp_path / name.replace("/", "⁄"))
    shown = folder.name
    run = make_run("run", folder)
    record = json.loads(run.run_file.read_text())
    record["preset"] = record["split"]["note"] = name
    run.run_file.write_text(json.dumps(record))
    events = (
        StateChanged(RunState.FAILED, 1, 1, 10, 2, f"{name} failed"),
        a_step(1, 1.0),
        PreviewReady(0, 0, "sample", name, "previews/a.wav", 1.0, (1.0,)),
        Warned(WarningKind.DISK, f"{name} is full", 1),
    )
    run.events.write_text("".join(to_json(event, 1.0) + "\n" for event in events))
    run.path.rename(run.path.with_name(f"{shown}-run"))
    run = RunDirectory(run.path.with_name(f"{shown}-run"))
    async with running(tmp_path, folder, (200, 60)) as (app, pilot):
        screen = await to_settings(app, pilot)
        assert shown in screen_text(app)
        screen.query_one("#name", Input).value = name
        await pilot.press("ctrl+n")
        await until(pilot, lambda: any("cannot name a run" in toast for toast in toasts(app)), "refusal")
        assert f"'{name}'" in toasts(app)[-1]
        await pilot.pause(0.2)
        assert name[:6] in screen_text(app)
        await pilot.press("escape", "escape")  # leaves the name that was refused, then the screen
        await until(pilot, lambda: isinstance(app.screen, DatasetScreen), "datasets")
        assert shown in screen_text(app)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        assert f"preset {name}" in screen_text(app)
        assert f"{name} failed" in screen_text(app)
        app.screen.query_one("#epochs", Input).value = name
        await pilot.press("n")
        await until(pilot, lambda: any(f"not '{name}'" in toast for toast in toasts(app)), "typed value")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: f"{name} is full" in screen_text(app), "dashboard")
        assert f"{name} failed" in screen_text(app)
        await pilot.press("right")
        await until(pilot, lambda: any("cannot be played" in toast for toast in toasts(app)), "no file")


async def test_no_widget_can_send_what_steers_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31mb\u202ec").mkdir()
    async with running(tmp_path) as (app, pilot):
        app.notify(f"x{STEERING}y", title=f"t{STEERING}")
        await pilot.pause(0.2)
        assert not FORBIDDEN.search(screen_text(app).replace("\n", ""))


def test_no_command_can_print_what_steers_the_terminal() -> None:
    stream = io.StringIO()
    Output(file=stream).print(f"x{STEERING}y")
    assert "evil" in stream.getvalue()
    assert not FORBIDDEN.search(stream.getvalue())


def test_every_command_escapes_what_comes_from_elsewhere(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    record["preset"] = record["split"]["note"] = record["created"] = STEERING
    record["software"] = {"torch": STEERING, "python": STEERING}
    key = json.loads(run.run_file.read_text())
    key["config"][STEERING] = 1
    version = {**record, "format_version": STEERING}
    events = (
        Warned(WarningKind.DISK, f"full{STEERING}", 1),
        CheckpointSaved(1, 1, STEERING, STEERING, 1),
        StateChanged(RunState.FINISHED, 16, 2, 16, 2, f"finished{STEERING}"),
    )
    for name, description in (("key", key), ("version", version), (f"n{STEERING}", record)):
        other = tmp_path / "runs" / name
        other.mkdir()
        (other / "run.json").write_text(json.dumps(description))
        (other / "events.jsonl").write_text("".join(to_json(event, 1.0) + "\n" for event in events))
        (other / "lock").write_text(json.dumps({"pid": 1, "started_s": 1.0, "host": STEERING}))
    folder = write_tones(tmp_path / "odd")
    (folder / "tone-0.wav").rename(folder / f"tone{STEERING}.wav")
    (folder / f"text{STEERING}.wav").write_text("no sound")
    monkeypatch.chdir(tmp_path)

    def output(*arguments: str | Path) -> str:
        with contextlib.suppress(SystemExit):
            main([str(argument) for argument in arguments])
        out, error = capsys.readouterr()
        assert not FORBIDDEN.search(out + error), arguments
        return out + error

    runs = output("runs")
    assert "n�[2J" in runs
    assert "finished�[2J" in runs
    assert len(json.loads(output("runs", "--json"))) == 4
    assert "tone�[2J" in output("scan", folder)
    assert "There is no setting '�[2J" in output("resume", "key")
    assert "its format version is �[2J" in output("resume", "version")
    assert "n�[2J" in output("resume", f"n{STEERING}")
    assert "There is no run 'none�[2J" in output("resume", f"none{STEERING}")
    assert "There is no setting '�[2J" in output("resume", "run", "--set", f"{STEERING}=1")
    assert "There is no run '�[2J" in output("runs", STEERING)
    assert "unrecognized arguments: �[2J" in output("doctor", STEERING)
    assert "gone�[2J" in output("runs", "--runs", tmp_path / f"gone{STEERING}")


def test_an_error_is_safe_to_show() -> None:
    assert not FORBIDDEN.search(str(RunError(f"a{STEERING}b")))


def test_a_file_in_place_of_the_folder_of_runs_is_refused_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "afile").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "--runs", "afile"]) == 1
    assert capsys.readouterr().err == (
        "sda-tui: Cannot read the folder of runs afile (Not a directory). "
        "Choose another place with --runs or $SDA_RUNS.\n"
    )


@pytest.mark.parametrize(
    ("foreign", "left"),
    [
        ("a\u202eb", "ab"),
        ("a\x9bb", "ab"),
        ("a\x1b[31mb", "a[31mb"),
        ("a\u2028b\x07", "ab"),
        ("a\ud800b", "ab"),
    ],
)
def test_no_line_steers_the_terminal_and_each_stays_as_wide(foreign: str, left: str) -> None:
    (shown,) = safe_segments([Segment(foreign)])
    assert shown.text.replace("�", "") == left
    assert shown.cell_length == Segment(foreign).cell_length


def test_letters_of_all_scripts_and_ends_of_lines_stay() -> None:
    assert safe_segments([Segment("späß 🥁\n")]) == [Segment("späß 🥁\n")]
