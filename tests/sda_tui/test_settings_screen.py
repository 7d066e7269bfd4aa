"""Before a run: the choice of its settings, by keys."""

import shutil
from pathlib import Path

import pytest
from textual.widgets import Button, Collapsible, Input, Select, Static

from core.config import SETTINGS
from core.runs import RunDirectory
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.widgets.preset_chooser import PresetChooser
from sda_tui.widgets.setting_row import SettingRow
from tests.conftest import MakeRun
from tests.sda_tui.driving import NARROW, WIDE, running, shows, text, to_settings, toasts, until
from tests.sounds import write_tone


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
        await shows(pilot, "#estimate", "100 epochs of")
        await shows(pilot, "#estimate", "MB on disk")
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
        await shows(pilot, "#estimate", "dropout")
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
