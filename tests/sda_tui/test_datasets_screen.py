"""Before a run: the choice of a folder and of its files, by keys."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from textual.events import Paste
from textual.widgets import Button, Input, OptionList, Static

from core.config import SETTINGS
from core.runs import FILE_ERRORS
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.widgets.scan_table import ScanTable
from sda_tui.widgets.setting_row import SettingRow
from tests.conftest import TINY, MakeRun, read_wav
from tests.sda_tui.driving import (
    NARROW,
    WIDE,
    RecordingPlayer,
    an_epoch,
    running,
    shows,
    text,
    toasts,
    until,
    write_run,
)
from tests.sounds import write_tone


async def test_without_a_folder_the_first_screen_names_the_next_step(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await shows(pilot, "#scan-status", "Choose a folder of sounds")
        assert not app.screen.query_one("#proceed").display


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_scan_shows_verdicts_totals_split_and_suggestion(
    tmp_path: Path, sounds: Path, size: tuple[int, int]
) -> None:
    write_tone(sounds / "short.wav", 300.0, 0.1)
    (sounds / "[red]notes.txt").write_text("x")
    async with running(tmp_path, sounds, size) as (app, pilot):
        await until(pilot, lambda: app.screen.is_ready)
        table = app.screen.query_one(ScanTable)
        rows = {
            str(table.get_row_at(row)[0]): str(table.get_row_at(row)[1]) for row in range(table.row_count)
        }
        assert rows["short.wav"] == "✓ padded"
        assert rows["[red]notes.txt"] == "✗ unsupported"
        assert len(rows) == 10
        totals = text(app, "#totals")
        assert "Usable: 9 files" in totals
        assert "held out for validation" in totals
        assert "Suggested preset: conservative" in totals
        assert app.focused is app.screen.query_one("#proceed")


async def test_the_table_is_sorted_by_key_and_by_head(tmp_path: Path, sounds: Path) -> None:
    write_tone(sounds / "zz-long.wav", 300.0, 3.0)
    async with running(tmp_path, sounds) as (app, pilot):
        await until(pilot, lambda: app.screen.is_ready)
        table = app.screen.query_one(ScanTable)
        assert str(table.get_row_at(0)[0]) == "tone-0.wav"
        await pilot.press("o", "o")
        assert str(table.get_row_at(0)[0]) == "zz-long.wav"
        assert [str(column.label) for column in table.columns.values()][2] == "Length ▼"
        await pilot.click(ScanTable, offset=(3, 0))
        assert str(table.get_row_at(0)[0]) == "tone-0.wav"
        await pilot.click(ScanTable, offset=(3, 0))
        assert str(table.get_row_at(0)[0]) == "zz-long.wav"


async def test_the_detail_of_the_chosen_file_is_shown_whole(tmp_path: Path, sounds: Path) -> None:
    write_tone(sounds / "a-short.wav", 300.0, 0.1)
    async with running(tmp_path, sounds, NARROW) as (app, pilot):
        await until(pilot, lambda: not app.screen.query_one("#proceed", Button).disabled)
        detail = app.screen.query_one("#file-detail", Static)
        await until(pilot, lambda: str(detail.content) == "a-short.wav: under a chunk of 1 s; padded")
        assert detail.display
        app.screen.query_one(ScanTable).focus()
        await pilot.press("down")
        await until(pilot, lambda: not detail.display)


async def test_errors_of_files_that_a_run_held_out_are_shown_and_sorted(
    tmp_path: Path, sounds: Path, make_run: MakeRun
) -> None:
    run = make_run("drums")
    write_run(run, replace(an_epoch(1, 1, 0.1), metrics={FILE_ERRORS: (1.0, 4.6, 2.0, 2.0)}))
    hardest = run.read_manifest().split.validation_paths[1]
    async with running(tmp_path, sounds) as (app, pilot):
        await until(pilot, lambda: app.screen.is_ready)
        table = app.screen.query_one(ScanTable)
        await until(pilot, lambda: len(table.columns) == 8, "the column")
        for _ in range(6):
            await pilot.press("o")
        assert [str(column.label) for column in table.columns.values()][6] == "Held out ▼"
        assert [str(table.get_row_at(row)[6]) for row in range(5)] == ["2.3×", "1.0×", "1.0×", "0.5×", ""]
        table.focus()
        await pilot.press("home")
        expected = f"{hardest}: its error when drums held it out is 2.3× the median"
        await until(pilot, lambda: text(app, "#file-detail") == expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "gone", "There is no file or folder"),
        (lambda folder: folder, "holds no files"),
        (lambda folder: (folder / "a.txt").write_text("x") and folder, "None of them can be used"),
    ],
    ids=["missing", "empty", "unusable"],
)
async def test_a_bad_folder_is_reported_and_blocks_the_next_step(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with running(tmp_path, make(folder)) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#scan-status").has_class("-error"))
        await shows(pilot, "#scan-status", message)
        assert app.screen.query_one("#proceed", Button).disabled
        await pilot.press("n")
        assert isinstance(app.screen, DatasetScreen)
        assert "Choose a folder with sounds first." in toasts(app)


async def test_a_path_is_typed_with_completion(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash", "s", "o")
        field = app.screen.query_one("#path", Input)
        while field.value != "sounds/":  # until the suggestion is there, which takes a moment
            await pilot.press("right")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.is_ready)
        await shows(pilot, "#scan-status", "8 files")


async def test_escape_leaves_the_path_and_takes_back_what_was_typed(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash", "x", "space")

        def footer() -> str:
            return " ".join(str(key.render()) for key in app.screen.query("FooterKey"))

        await until(pilot, lambda: "Leave" in footer(), "the way out")
        for key in ("Path", "Demo", "Runs"):
            assert key not in footer(), "a character that the field takes"
        await pilot.press("escape")
        field = app.screen.query_one("#path", Input)
        assert (field.value, field.has_focus) == ("", False)


async def test_pasted_files_and_folders_are_scanned_together(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "My Sounds"
    mine.mkdir()
    write_tone(mine / "mine.wav", 333.0)
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash")
        app.screen.query_one("#path").post_message(Paste(f"file://{quote(str(mine))}\r\nsounds\n"))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.is_ready)
        await shows(pilot, "#scan-status", "9 files")
        await shows(pilot, "#scan-status", "My Sounds and sounds in")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))


async def test_a_folder_is_picked_in_the_tree(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path) as (app, pilot):
        tree = app.screen.query_one("#tree")
        tree.focus()
        await until(pilot, lambda: any(str(node.label) == "sounds" for node in tree.root.children))  # type: ignore[attr-defined]
        await pilot.press("down")
        while str(tree.cursor_node.label) != "sounds":  # type: ignore[attr-defined]
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.is_ready)
        await pilot.press("backspace")
        await until(pilot, lambda: str(tree.path) == str(tmp_path.parent))  # type: ignore[attr-defined]


async def test_recent_folders_come_from_the_runs(tmp_path: Path, make_run: MakeRun, sounds: Path) -> None:
    make_run("before")
    async with running(tmp_path) as (app, pilot):
        recent = app.screen.query_one("#recent", OptionList)
        await until(pilot, lambda: recent.option_count == 2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen.is_ready)
        await shows(pilot, "#scan-status", "8 files")


async def test_one_key_chooses_the_demo(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: app.screen.is_ready)
        await shows(pilot, "#scan-status", "40 files")


async def test_a_file_is_played_before_training(tmp_path: Path, sounds: Path) -> None:
    """Any format, as WAV; the same key stops it."""
    write_tone(sounds / "a.flac", 440.0, 0.5, samplerate=44_100)
    async with running(tmp_path, sounds) as (app, pilot):
        player = RecordingPlayer()
        app.listening.outputs.players = [player]
        screen = app.screen
        await until(pilot, lambda: isinstance(screen, DatasetScreen) and screen.is_ready, "scan")
        screen.query_one(ScanTable).focus()
        await pilot.press("home", "space")
        await until(pilot, lambda: player.playing is not None, "a sound")
        assert player.playing is not None
        samples, rate = read_wav(player.playing.path)
        assert (rate, len(samples)) == (48_000, 24_000)
        assert app.listening.page.library.describe_sound(0)["label"] == "a.flac"
        await until(pilot, lambda: text(app, "#audition").startswith("▶ a.flac  0.2 / 1.0 s"), "the line")
        folder = player.playing.path.parent
        await pilot.press("space")
        assert player.playing is None
        await until(pilot, lambda: text(app, "#audition") == "", "no line")
        (sounds / "a.flac").unlink()
        await pilot.press("space")
        await until(pilot, lambda: any("a.flac cannot be played" in each for each in toasts(app)), "why")
    assert not folder.exists()


async def test_the_arrows_choose_a_file_wherever_the_focus_is(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = app.screen
        await until(pilot, lambda: isinstance(screen, DatasetScreen) and screen.is_ready, "scan")
        table = screen.query_one(ScanTable)
        assert not table.has_focus
        await pilot.press("down", "down", "up")
        assert table.cursor_row == 1


async def test_of_files_asked_for_in_quick_succession_the_last_plays(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = app.screen
        await until(pilot, lambda: isinstance(screen, DatasetScreen) and screen.is_ready, "scan")
        labels: list[str] = []
        decoded = threading.Event()

        def decode_slowly(path: Path, cancelled: Callable[[], bool]) -> Path:
            decoded.wait(30)
            return path

        monkeypatch.setattr(app.session, "audition", decode_slowly)
        monkeypatch.setattr(app.listening, "play_file", lambda path, label: labels.append(label))
        table = screen.query_one(ScanTable)
        await pilot.press("space", "down", "space", "down", "space")
        assert table.chosen is not None
        decoded.set()
        await until(pilot, lambda: bool(labels), "a sound")
        await pilot.pause(0.5)
        assert labels == [table.chosen.path]


async def test_a_file_is_left_out_and_taken_in_again(tmp_path: Path, sounds: Path) -> None:
    write_tone(sounds / "a.wav", 470.0)
    async with running(tmp_path, sounds) as (app, pilot):
        screen = app.screen
        await until(pilot, lambda: isinstance(screen, DatasetScreen) and screen.is_ready, "scan")
        table = screen.query_one(ScanTable)
        table.focus()
        count = table.row_count
        await pilot.press("home", "x")
        await shows(pilot, "#scan-status", f"{count - 1} used, 1 left out")
        await shows(pilot, "#totals", f"Usable: {count - 1} files")
        await pilot.press("x")
        await shows(pilot, "#scan-status", f"({count} used)")
        await pilot.press("x", "n")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen), "settings")
        for name, value in {**TINY, "epochs": 5000}.items():
            row = app.screen.query_one(f"#setting-{name}", SettingRow)
            row.query_one(Input).value = SETTINGS[name].show(value)  # type: ignore[arg-type]
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "dashboard")
        assert isinstance(app.screen, DashboardScreen)
        manifest = app.screen.run.read_manifest()
        assert [file.path for file in manifest.left_out] == ["a.wav"]
        assert "a.wav" not in {file.path for file in manifest.files}


async def test_a_dataset_with_all_files_left_out_cannot_be_trained(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = app.screen
        await until(pilot, lambda: isinstance(screen, DatasetScreen) and screen.is_ready, "scan")
        table = screen.query_one(ScanTable)
        table.focus()
        await pilot.press("home")
        for _ in range(table.row_count):
            await pilot.press("x", "down")
        await shows(pilot, "#scan-status", "take some in again (x)")
        assert app.screen.query_one("#proceed", Button).disabled
        await pilot.press("n")
        assert app.screen is screen
