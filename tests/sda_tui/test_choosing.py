"""Before a run: the choice of a folder and of settings, by keys."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from textual.events import Paste
from textual.widgets import Button, Collapsible, Input, OptionList, Select, Static

from core.config import SETTINGS
from core.runs import FILE_ERRORS, RunDirectory
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.widgets.preset_chooser import PresetChooser
from sda_tui.widgets.scan_table import ScanTable
from sda_tui.widgets.setting_row import SettingRow
from tests.conftest import TINY, MakeRun, read_wav
from tests.sda_tui.driving import (
    NARROW,
    WIDE,
    RecordingPlayer,
    an_epoch,
    running,
    text,
    to_settings,
    toasts,
    until,
    write_run,
)
from tests.sounds import write_tone

# -- datasets ---------------------------------------------------------------------------------------------


async def test_without_a_folder_the_first_screen_names_the_next_step(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, _):
        assert "Choose a folder of sounds" in text(app, "#scan-status")
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
        assert message in text(app, "#scan-status")
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
        assert "8 files" in text(app, "#scan-status")


async def test_escape_leaves_the_path_and_takes_back_what_was_typed(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash", "x", "space", "escape")
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
        assert "9 files" in text(app, "#scan-status")
        assert "My Sounds and sounds in" in text(app, "#scan-status")
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
        assert "8 files" in text(app, "#scan-status")


async def test_one_key_chooses_the_demo(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: app.screen.is_ready)
        assert "40 files" in text(app, "#scan-status")


# -- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_the_suggested_preset_is_chosen_and_the_estimate_shown(
    tmp_path: Path, sounds: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, sounds, size) as (app, pilot):
        screen = await to_settings(app, pilot)
        assert screen.query_one(PresetChooser).chosen == "conservative"
        assert app.focused is screen.query_one(PresetChooser)
        assert screen.query_one("#preset-conservative").border_title == "★ suggested"
        await until(pilot, lambda: "steps" in text(app, "#estimate"))
        assert "100 epochs of" in text(app, "#estimate")
        assert "MB on disk" in text(app, "#estimate")
        assert all(group.collapsed for group in screen.query(Collapsible))
        assert screen.query_one("#name", Input).value == "sounds-001"
        await until(pilot, lambda: bool(app.session.devices), "engine loaded")
        await until(pilot, lambda: screen.query_one("#device", Select).value == "cpu")


async def test_arrows_and_digits_choose_a_preset(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        chooser = screen.query_one(PresetChooser)
        await pilot.press("right")
        assert chooser.chosen == "balanced"
        await until(pilot, lambda: "200 epochs" in text(app, "#estimate"))
        await pilot.press("right", "right")
        assert chooser.chosen == "aggressive"
        await pilot.press("1")
        assert chooser.chosen == "conservative"
        await pilot.press("tab")
        assert chooser.chosen == "conservative"


async def test_every_setting_has_a_row_with_unit_range_and_help(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("a")
        rows = {row.setting.name: row for row in screen.query(SettingRow)}
        assert set(rows) == set(SETTINGS)
        row = rows["chunk_duration_s"]
        assert "s  0.25 to 4" in str(row.query_one(".setting-range", Static).render())
        assert row.setting.help in str(row.query_one(".setting-help", Static).render())
        assert rows["dropout"].query_one(Input).value == "0.4"


async def test_a_bad_value_is_reported_while_typing_and_blocks_start(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("a", "tab")
        row = screen.query_one("#setting-epochs", SettingRow)
        await pilot.press("x")
        assert row.has_class("-invalid")
        assert "not 'x'" in str(row.query_one(".setting-help", Static).render())
        await until(pilot, lambda: screen.query_one("#start", Button).disabled)
        await pilot.press("ctrl+n")
        assert isinstance(app.screen, SettingsScreen)
        await pilot.press("backspace", "7")
        assert row.has_class("-differs")
        assert "preset: 100" in str(row.query_one(".setting-mark", Static).render())
        await until(pilot, lambda: "7 epochs" in text(app, "#estimate"))
        assert "● 1 changed" in screen.query_one("#group-training", Collapsible).title
        await pilot.press("ctrl+r")
        assert row.query_one(Input).value == "100"
        assert not row.has_class("-differs")
        await until(pilot, lambda: "100 epochs" in text(app, "#estimate"))


async def test_an_own_clip_is_checked_while_typing(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds, NARROW) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("a")
        row = screen.query_one("#setting-preview_clip", SettingRow)
        row.query_one(Input).value = str(sounds / "tone-")
        await pilot.pause()
        assert row.has_class("-invalid")
        assert "there is no such file" in str(row.query_one(".setting-help", Static).render())
        await until(pilot, lambda: screen.query_one("#start", Button).disabled)
        row.query_one(Input).value = str(sounds / "tone-1.wav")
        await until(pilot, lambda: not screen.query_one("#start", Button).disabled)
        assert "preset: empty" in str(row.query_one(".setting-mark", Static).render())
        assert screen.manifest().config.preview_clip == str(sounds / "tone-1.wav")


async def test_edits_are_still_there_after_going_back(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("3")
        screen.query_one("#setting-epochs Input", Input).value = "77"
        screen.query_one("#setting-dropout Input", Input).value = "lots"
        screen.query_one("#name", Input).value = "mine"
        await pilot.pause(0.3)
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)
        await pilot.press("n")
        again = await to_settings(app, pilot) if not isinstance(app.screen, SettingsScreen) else app.screen
        assert again.query_one(PresetChooser).chosen == "aggressive"
        assert again.query_one("#setting-epochs Input", Input).value == "77"
        assert again.query_one("#setting-dropout Input", Input).value == "lots"
        assert again.query_one("#name", Input).value == "mine"
        assert "dropout" in text(app, "#estimate")
        await pilot.press("escape")
        write_tone(sounds / "new.wav", 300.0, 1.0)  # another dataset: its own preset is suggested
        app.screen.choose([sounds])
        fresh = await to_settings(app, pilot)
        assert fresh.query_one(PresetChooser).chosen == "conservative"


async def test_the_key_of_the_advanced_settings_types_into_no_field(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        before = [field.value for field in screen.query(Input)]
        for is_collapsed in (False, True, False):
            await pilot.press("a")
            await pilot.pause()
            assert {group.collapsed for group in screen.query(Collapsible)} == {is_collapsed}
        assert [field.value for field in screen.query(Input)] == before


@pytest.mark.parametrize("key", ["ctrl+n", "n"])
async def test_start_goes_to_the_field_that_is_not_valid(tmp_path: Path, sounds: Path, key: str) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        field = screen.query_one("#setting-epochs Input", Input)
        field.value = "many"
        await pilot.pause(0.3)
        await pilot.press(key)
        await until(pilot, lambda: app.focused is field)
        assert not screen.query_one("#group-training", Collapsible).collapsed
        field.value = "5"
        name = screen.query_one("#name", Input)
        name.value = "no spaces please"
        await pilot.pause(0.3)
        screen.query_one(PresetChooser).focus()
        await pilot.press(key)
        await until(pilot, lambda: app.focused is name)


async def test_changes_survive_another_preset_until_reset(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        field = screen.query_one("#setting-latent_dim Input", Input)
        field.value = "16"
        await pilot.pause()
        await pilot.press("2")
        assert field.value == "16"
        screen.query_one(PresetChooser).focus()
        await pilot.press("ctrl+r")
        assert field.value == "auto"


@pytest.mark.parametrize(
    ("name", "message"), [("taken", "There is a run 'taken'"), ("a b", "cannot name a run")]
)
async def test_an_unusable_name_is_reported(
    tmp_path: Path, sounds: Path, make_run: MakeRun, name: str, message: str
) -> None:
    make_run("taken")
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        screen.query_one("#name", Input).value = name
        await pilot.press("n")
        await until(pilot, lambda: any(message in toast for toast in toasts(app)))
        assert isinstance(app.screen, SettingsScreen)


async def test_a_run_starts_from_the_model_of_another(
    tmp_path: Path, sounds: Path, uninterrupted: RunDirectory
) -> None:
    shutil.copytree(uninterrupted.path, tmp_path / "runs" / "[old] first")
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        start = screen.query_one("#start-model", Select)
        await until(pilot, lambda: screen.query_one("#start-line").display, "runs")
        start.value = str(tmp_path / "runs" / "[old] first")
        row = screen.query_one("#setting-latent_dim", SettingRow)
        await until(pilot, lambda: row.disabled, "its settings")
        assert row.query_one(Input).value == "4"
        assert "[old] first" in str(start.query_one("#label", Static).render())
        assert screen.query_one("#setting-kl_warmup_fraction", SettingRow).query_one(Input).value == "0"
        start.value = ""
        await until(pilot, lambda: not row.disabled, "those of a new model")
        assert row.query_one(Input).value == "auto"
        start.value = str(tmp_path / "runs" / "[old] first")
        await until(pilot, lambda: row.disabled, "its settings again")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "dashboard")
        manifest = RunDirectory(tmp_path / "runs" / "sounds-001").read_manifest()
        assert manifest.parent is not None
        assert (manifest.parent.run, manifest.config.latent_dim) == ("[old] first", 4)


async def test_a_start_that_cannot_be_read_is_refused(
    tmp_path: Path, sounds: Path, uninterrupted: RunDirectory
) -> None:
    shutil.copytree(uninterrupted.path, tmp_path / "runs" / "first")
    (tmp_path / "runs" / "first" / "checkpoints" / "best.pt").write_bytes(b"x" * 1000)
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await until(pilot, lambda: screen.query_one("#start-line").display, "runs")
        screen.query_one("#start-model", Select).value = str(tmp_path / "runs" / "first")
        await until(pilot, lambda: any("best.pt is damaged" in toast for toast in toasts(app)))
        assert screen.query_one("#start-model", Select).value == ""
        assert screen.manifest().parent is None


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
        assert f"{count - 1} used, 1 left out" in text(app, "#scan-status")
        assert f"Usable: {count - 1} files" in text(app, "#totals")
        await pilot.press("x")
        assert f"({count} used)" in text(app, "#scan-status")
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
        assert "take some in again (x)" in text(app, "#scan-status")
        assert app.screen.query_one("#proceed", Button).disabled
        await pilot.press("n")
        assert app.screen is screen
