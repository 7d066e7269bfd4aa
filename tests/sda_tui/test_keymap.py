"""The table of keys: the names in it, and what Textual makes of them."""

import pkgutil
from collections import Counter
from importlib import import_module

import pytest
from textual.actions import parse
from textual.app import App
from textual.binding import Binding
from textual.widgets import Button

from sda_tui import screens
from sda_tui.app import SdaApp
from sda_tui.keymap import KEYMAP
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.widgets.run_charts import RunCharts

COMMANDS = [command for scope in KEYMAP.values() for command in scope.commands]


def test_command_ids_are_unique_and_begin_with_their_scope() -> None:
    counts = Counter(command.id for command in COMMANDS)
    assert [id for id, count in counts.items() if count > 1] == []
    for name, scope in KEYMAP.items():
        assert all(command.id.startswith(f"{name}.") for command in scope.commands)


@pytest.mark.parametrize("name", KEYMAP)
def test_each_command_is_done_by_its_screen_or_where_its_action_says(name: str) -> None:
    """By a key, Textual looks for an action along all that has the focus; palette and help do not."""
    doing: dict[str, type] = {"app": SdaApp, "dashboard": DashboardScreen, "charts": RunCharts}
    for module in pkgutil.iter_modules(screens.__path__):
        for each in vars(import_module(f"{screens.__name__}.{module.name}")).values():
            if isinstance(each, type) and "SCOPE" in vars(each):
                doing.setdefault(vars(each)["SCOPE"], each)
    for command in KEYMAP[name].commands:
        namespace, action, _ = parse(command.action)
        methods = dir(SdaApp if namespace == "app" else doing[name])
        assert {f"action_{action}", f"_action_{action}"} & {*methods}, command.id
        assert namespace or name != "app", command.id


def test_no_key_of_a_screen_does_two_things() -> None:
    for name in KEYMAP.keys() - {"app"}:
        commands = (*KEYMAP[name].commands, *KEYMAP["app"].commands)
        counts = Counter(key for command in commands for key in command.keys.split(","))
        assert [key for key, count in counts.items() if count > 1] == []


class Saving(App[None]):
    BINDINGS = KEYMAP["dashboard"].bindings()
    saved = 0

    def action_save(self) -> None:
        self.saved += 1


async def test_a_users_key_map_replaces_a_key_by_the_commands_id() -> None:
    app = Saving()
    async with app.run_test() as pilot:
        app.set_keymap({"dashboard.save": "f2"})
        await pilot.press("f2")
        assert app.saved == 1
        await pilot.press("s")
        assert app.saved == 1


def test_each_binding_carries_id_and_help_of_its_command() -> None:
    for scope in KEYMAP.values():
        bindings = [each for each in scope.bindings() if isinstance(each, Binding)]
        assert [(each.id, each.tooltip) for each in bindings] == [
            (command.id, command.help) for command in scope.commands
        ]


async def test_a_question_is_answered_by_key_by_button_and_by_escape() -> None:
    answers: list[str | None] = []
    app: App[None] = App()
    async with app.run_test() as pilot:
        for keys in (["y"], ["n"], ["x", "escape"], ["enter"], ["right", "enter"]):
            question = ChoiceScreen("Stop?", "", (Choice("stay", "Stay", "n"), Choice("stop", "Stop", "y")))
            await app.push_screen(question, answers.append)
            assert question.query_one("#stay", Button).has_focus
            await pilot.press(*keys)
            await pilot.pause()
    assert answers == ["stop", "stay", None, "stay", "stop"]
