"""The app with a configuration: keys and themes of the user's own, and what is said of faults."""

import asyncio
import re
from pathlib import Path

import pytest
from textual.app import ComposeResult
from textual.command import CommandPalette
from textual.events import MouseDown
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Select, Static

from sda_tui.app import SdaApp
from sda_tui.configuration.fields import Configuration
from sda_tui.configuration.reading import Read, read_configuration
from sda_tui.configured_app import ConfiguredApp
from sda_tui.keymap import KEYMAP
from sda_tui.remembered import recall, remember
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.help import HelpScreen
from tests.sda_tui.driving import to_settings, until


class DashboardLike(Screen[None]):
    """A screen with the dashboard's keys, on which nothing can be cancelled."""

    SCOPE = "dashboard"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self) -> None:
        super().__init__()
        self.saved = 0

    def compose(self) -> ComposeResult:
        yield Footer()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "cancel"

    def action_save(self) -> None:
        self.saved += 1


class App(ConfiguredApp[None]):
    def __init__(self, tmp_path: Path, configuration: str = "") -> None:
        path = tmp_path / "config.toml"
        path.write_text(configuration)
        super().__init__(read_configuration(path))
        self.dashboard = DashboardLike()

    def on_mount(self) -> None:
        self.push_screen(self.dashboard)


def shown(app: App) -> str:
    """The text on the screen."""
    text = re.sub(r"<style.*?</style>|<[^>]*>|\n *", "", app.export_screenshot(), flags=re.DOTALL)
    return text.replace("&#160;", " ")


async def test_a_rebound_key_works_and_is_shown_everywhere(tmp_path: Path) -> None:
    app = App(tmp_path, '[keys]\n"dashboard.save" = ["f5", "ctrl+s"]\n"app.help" = "f1"\n')
    async with app.run_test(size=(180, 36)) as pilot:
        await pilot.pause()
        assert "f5 Save" in shown(app)
        await pilot.press("f5", "ctrl+s", "s", "question_mark")
        assert app.dashboard.saved == 2
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen)
        assert "f5 ^s" in shown(app)
        await pilot.press("enter")  # nothing is chosen yet
        assert isinstance(app.screen, HelpScreen)
        keys = app.screen.query_one(OptionList)
        keys.highlighted = keys.get_option_index("dashboard.save")
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.dashboard
        assert app.dashboard.saved == 3


async def test_a_click_in_the_help_does_what_it_says(tmp_path: Path) -> None:
    app = App(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.click("#help-keys", offset=(20, 2))  # below the title of the screen: cancel, save
        await pilot.pause()
        assert app.dashboard.saved == 1


@pytest.mark.slow
async def test_the_palette_has_possible_commands_with_their_keys_and_the_themes(tmp_path: Path) -> None:
    app = App(tmp_path, '[keys]\n"dashboard.save" = "f5"\n')
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause(0.3)
        assert isinstance(app.screen, CommandPalette)
        assert "Dashboard: Save  f5" in shown(app)
        assert "Dashboard: Cancel" not in shown(app)
        await pilot.press(*"theme: light")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert app.theme == recall("theme", "") == "light"


async def test_the_theme_chosen_last_is_the_first_next_time(tmp_path: Path) -> None:
    remember("theme", "high-contrast")
    app = App(tmp_path)
    async with app.run_test() as pilot:
        assert app.theme == "high-contrast"
        await pilot.press("ctrl+t")
        assert app.theme == recall("theme", "") == "colour-blind"
    assert App(tmp_path).theme == "colour-blind"
    assert App(tmp_path, "theme = 'light'").theme == "light"
    remember("theme", "gone")
    assert App(tmp_path).theme == "dark"


async def test_faults_are_told_once_and_the_app_starts(tmp_path: Path) -> None:
    faults = 'theme = "drak"\na = 1\n[keys]\n"runs.vew" = "x"\n"dashboard.save" = "c"\n'
    app = App(tmp_path, faults)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        (toast,) = app._notifications
        assert [line[:19] for line in toast.message.split("\n")] == [
            *(f"config.toml line {line}:" for line in (1, 2, 4)),
            "1 more: `sda-tui co",
        ]
        assert "s Save" in shown(app)


@pytest.mark.slow
async def test_new_runs_have_the_configured_preset_and_device(tmp_path: Path, sounds: Path) -> None:
    wanted = Configuration(preset="aggressive", device="cuda:9")
    app = SdaApp(tmp_path / "runs", [sounds], read=Read(wanted))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, DatasetScreen), "first screen")
        screen = await to_settings(app, pilot)
        assert screen.manifest().preset == "aggressive"
        await until(pilot, lambda: bool(app.session.devices), "devices")
        await until(pilot, lambda: any("cuda:9" in toast.message for toast in app._notifications), "toast")
        assert screen.query_one("#device", Select).value == app.session.devices[0].name


class Opened(Screen[None]):
    """A screen whose action needs what it is composed of."""

    BINDINGS = [("down", "move", "Move")]

    def compose(self) -> ComposeResult:
        yield Footer(id="moved")

    def action_move(self) -> None:
        self.query_one("#moved").add_class("-moved")


async def test_keys_typed_ahead_of_a_screen_or_a_list_do_not_end_the_app(tmp_path: Path) -> None:
    app, opened = App(tmp_path), Opened()
    async with app.run_test() as pilot:
        app.push_screen(opened)
        await app.run_action("move", opened)  # it has nothing on it yet
        await pilot.press("down")
        assert opened.query_one("#moved").has_class("-moved")
        await pilot.press("ctrl+p")
        app.screen.dismiss()  # its parts are removed later
        app.action_command_palette()
        await pilot.press("escape")
        await pilot.press("ctrl+p", *"no such command", "pageup", "pagedown")
        assert isinstance(app.screen, CommandPalette)
        await pilot.press("escape")
        assert app.screen is opened
        app.pop_screen()
        await pilot.pause()
        await app.run_action("move", opened)  # nothing any more


async def test_keys_of_a_list_without_room_do_no_harm(tmp_path: Path) -> None:
    app = App(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        for size in ((1, 1), (5, 2), (20, 5)):
            await pilot.press("ctrl+p")
            await pilot.pause(0.2)
            await pilot.resize_terminal(*size)
            await pilot.press("pagedown", "pageup", "down", "up", "end", "home", "escape", "escape")
            await pilot.press("question_mark", "pagedown", "pageup", "escape")
        assert app.is_running


async def test_a_click_on_what_is_being_removed_does_no_harm(tmp_path: Path) -> None:
    app = App(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        removed = Static("it was here")
        await app.screen.mount(removed)
        await pilot.pause()
        at = removed.region.offset
        with app.batch_update():  # what was drawn stays where it was
            removed.remove()
            while removed.parent is not None:
                await asyncio.sleep(0)
            assert app.screen.get_widget_at(*at)[0] is removed
            await app.on_event(MouseDown(None, at.x, at.y, 0, 0, 1, False, False, False, at.x, at.y))
        await pilot.pause()
        assert app.is_running
