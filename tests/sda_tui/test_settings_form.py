"""The settings of a run as a form: folded, filtered, listed where they differ, and explained."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList, Static

from core.config import SETTINGS
from core.engine import Runner
from core.events import DeviceInfo, StateChanged
from sda_tui.screens.settings import SettingsScreen
from sda_tui.widgets.preset_chooser import PresetChooser
from sda_tui.widgets.setting_group import SettingGroup
from sda_tui.widgets.setting_help import SettingHelp
from sda_tui.widgets.setting_row import SettingRow
from sda_tui.widgets.settings_form import SettingsForm
from tests.conftest import MakeRun
from tests.sda_tui.driving import NARROW, WIDE, an_epoch, running, shows, text, to_settings, until, write_run
from tests.sda_tui.test_layout import SIZES, shown
from tests.settings import TINY

TRAINING, AUGMENTATION = "#group-training", "#group-augmentation"


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices are those that a test has, and nothing loads beside it."""
    monkeypatch.setattr(Runner, "load", lambda _: None)


def visible_rows(screen: SettingsScreen) -> list[str]:
    return [
        row.setting.name
        for group in screen.query(SettingGroup)
        for row in group.rows
        if group.display and row.display and not group.collapsed
    ]


async def test_a_filter_shows_hits_and_gives_back_what_was_folded(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.click(f"{TRAINING} CollapsibleTitle")
        assert len(visible_rows(screen)) == 9
        await pilot.press("slash", *"noise")
        assert visible_rows(screen) == ["augmentation_strength", "noise_probability"]
        assert text(app, "#filter-count") == f"2 of {len(SETTINGS)}"
        await pilot.press(*"less")
        assert visible_rows(screen) == []
        await shows(pilot, "#filter-none", "No setting has “noiseless”")
        await pilot.press("escape")
        assert len(visible_rows(screen)) == 9, "the group that was open"
        assert not screen.query_one("#filter-none").display
        await pilot.press(*"bits", "space", *"loss", "enter")
        assert app.focused is screen.query_one("#setting-free_bits Input"), "words of its name and its group"
        await pilot.press("shift+tab", "shift+tab", "escape", "escape")
        assert isinstance(app.screen, SettingsScreen)
        assert isinstance(app.focused, Static), "escape left the filter, not the screen"
        await pilot.press("escape")
        assert not isinstance(app.screen, SettingsScreen)


async def test_what_differs_is_listed_first_and_leads_to_its_field(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds, NARROW) as (app, pilot):
        screen = await to_settings(app, pilot)
        changed = screen.query_one("#changed", OptionList)
        assert not changed.display
        screen.query_one("#setting-weight_decay Input", Input).value = "0.25"
        screen.query_one("#setting-gain_probability Input", Input).value = "2"
        await until(pilot, lambda: len(changed.options) == 2, "the list")
        assert [str(option.prompt) for option in changed.options] == [
            "✗ Gain change  gain_probability must be 0 to 1, not 2.",
            "● Weight decay  0.25  preset: 0.1",
        ]
        assert "✗ 1 not valid" in screen.query_one(AUGMENTATION, SettingGroup).title
        await pilot.press("slash", *"seed")
        changed.focus()
        await pilot.press("down", "enter")
        field = screen.query_one("#setting-weight_decay Input", Input)
        await until(pilot, lambda: app.focused is field, "its field")
        assert screen.query_one("#filter", Input).value == ""
        changed.focus()
        await pilot.press("ctrl+r")
        assert field.value == "0.1"
        assert len(changed.options) == 1
        await pilot.click("#changed", offset=(5, 0))
        wrong = screen.query_one("#setting-gain_probability", SettingRow)
        await until(pilot, lambda: wrong.has_focus_within, "the field that is not valid")
        await pilot.click("#setting-gain_probability .setting-mark", offset=(1, 0))
        assert wrong.field.value == "0.5"
        await until(pilot, lambda: not changed.display, "no list")
        assert screen.query_one(SettingsForm).changes == {}


async def test_help_and_start_are_visible_at_every_size(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("a", "tab")
        for size in (*SIZES, (20, 5), (1, 1), SIZES[1]):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            if size < (60, 18):
                continue
            whole = shown(screen)
            assert "Start training" in shown(screen.query_one("#start")), whole
            assert "MB on disk." in " ".join(shown(screen.query_one("#estimate")).split()), whole
            helped = screen.query_one(SettingHelp)
            beside = shown(helped)
            for part in ("Epochs", "epochs", "Passes over the", "1 to 100000", "100"):
                assert part in beside, whole
            field = screen.query_one("#setting-epochs")
            assert "100" in shown(field), whole
            assert ("epochs" in shown(field)) is (size[0] >= 120), whole
            assert (helped.region.x > field.region.x) is (size[0] >= 100), "beside it, or below"
            if size not in (WIDE, SIZES[-1]):
                continue
            screen.query_one(PresetChooser).focus()
            await until(pilot, lambda: "Few sounds: slow, careful" in " ".join(shown(helped).split()))  # noqa: B023
            for card in screen.query("PresetCard"):
                assert " files" in shown(card), shown(screen)
            screen.query_one("#setting-epochs Input").focus()
            await until(pilot, lambda: "Passes over the" in shown(helped))  # noqa: B023


async def test_time_is_estimated_by_an_earlier_run_on_the_chosen_device(
    tmp_path: Path, sounds: Path, make_run: MakeRun
) -> None:
    run = make_run("before")
    epoch = replace(an_epoch(10, 1, 0.1), step=80, elapsed_s=80.0, device="GPU")
    write_run(run, epoch, StateChanged("finished", 80, 10, 80, 10))
    async with running(tmp_path, sounds) as (app, pilot):
        app.session.devices = (DeviceInfo("cuda:0", "GPU", 9), DeviceInfo("cpu", "CPU, 2 threads", 9))
        screen = await to_settings(app, pilot)
        for name, value in {**TINY, "epochs": 300}.items():
            screen.query_one(f"#setting-{name}", SettingRow).field.value = SETTINGS[name].show(value)
        await until(pilot, lambda: "about 40 min by the speed of before" in text(app, "#estimate"), "time")
        screen.query_one("#device").value = "cpu"  # type: ignore[attr-defined]
        await until(pilot, lambda: "the first epoch will tell" in text(app, "#estimate"), "another device")
