"""What the user's configuration makes of the app: colours, keys, and a word on what is wrong in it."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual.app import App, ReturnType
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.errors import NoWidget
from textual.events import Event, MouseDown
from textual.widget import Widget
from textual.widgets import OptionList

from sda_tui.advice import command
from sda_tui.configuration.fields import Configuration
from sda_tui.configuration.reading import Read
from sda_tui.keymap import KEYMAP, USER_KEYS, Command
from sda_tui.palette import KeyCommands, is_possible
from sda_tui.remembered import recall, remember
from sda_tui.themes import THEMES, TITLES, first_theme, next_theme
from sda_tui.until_left import LeftOnce, is_left

if TYPE_CHECKING:
    from textual.actions import ActionParseResult

REMEMBERED_THEME = "theme"
SHOWN_FAULTS = 3
FAULTS_TIMEOUT_S = 15
FEW_COLOURS = "standard"  # what Rich calls 16


class Palette(LeftOnce, CommandPalette):
    """Textual's palette, which a second enter does not take for the screen below it."""


class ConfiguredApp(App[ReturnType]):
    """An app with the configuration that was read, its own themes, the user's keys, and what lists them."""

    BINDINGS = KEYMAP["app"].bindings()
    COMMANDS = {KeyCommands}

    def __init__(self, read: Read, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._read = read
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = self._first_theme(False)
        USER_KEYS.use({})

    @property
    def configuration(self) -> Configuration:
        return self._read.configuration

    def _first_theme(self, has_few_colours: bool) -> str:
        return first_theme(self.configuration.theme, recall(REMEMBERED_THEME, ""), has_few_colours)

    def on_mount(self) -> None:
        if self.console.color_system == FEW_COLOURS and not self.is_headless:
            self.theme = self._first_theme(True)
        faults = list(self._read.faults)
        if self.configuration.keys:
            from sda_tui.keymap.rebinding import as_keymap, read_keys

            keys, key_faults = read_keys(self._read)
            faults = sorted([*faults, *key_faults], key=lambda fault: fault.line or 0)
            USER_KEYS.use(keys)
            self.set_keymap(as_keymap(keys))
        if faults:
            shown = [str(fault) for fault in faults[:SHOWN_FAULTS]]
            if len(faults) > SHOWN_FAULTS:
                shown.append(f"{len(faults) - SHOWN_FAULTS} more: {command('config')} lists them.")
            self.notify("\n".join(shown), title="Configuration", severity="warning", timeout=FAULTS_TIMEOUT_S)

    async def on_event(self, event: Event) -> None:
        """Ignore a press of the mouse on a widget that is drawn still and was removed.

        Textual would begin to select text in its parent, which it no longer has.
        """
        if isinstance(event, MouseDown) and self._is_on_removed(event):
            return
        await super().on_event(event)

    def _is_on_removed(self, event: MouseDown) -> bool:
        try:
            widget, _ = self.screen.get_widget_at(event.x, event.y)
        except NoWidget:
            return False
        return widget.parent is None

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Perform an action, unless what it is of has nothing in it yet.

        Over a slow line several keys come at once; those after the one that opens or leaves a screen find it
        empty.
        """
        if isinstance(default_namespace, Widget) and (
            is_left(default_namespace) or not default_namespace.screen.is_mounted
        ):
            return True
        if "page_" in str(action) and _has_no_lines(default_namespace):
            return True  # Textual's list raises a KeyError
        return await super().run_action(action, default_namespace, namespaces)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette())  # without its id, which one that is being left still has

    def action_next_theme(self) -> None:
        self.action_choose_theme(next_theme(self.theme))

    def action_choose_theme(self, name: str) -> None:
        """Use this theme from now on, and remember it."""
        self.theme = name
        remember(REMEMBERED_THEME, name)
        back = "" if self.configuration.theme not in THEMES else "  The configuration names another."
        self.notify(f"{TITLES[name]}.{back}", title="Theme", timeout=2)

    def action_help(self) -> None:
        from sda_tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            scope = getattr(self.screen, "SCOPE", "app")
            self.push_screen(HelpScreen(scope, partial(is_possible, self.screen)), self._run_command)

    async def _run_command(self, command: Command | None) -> None:
        """Do what a command of the current screen does."""
        if command is None:
            return
        if is_possible(self.screen, command.action):
            await self.screen.run_action(command.action)
        else:
            self.notify("This cannot be done any more.", severity="warning")


def _has_no_lines(node: DOMNode | None) -> bool:
    """Whether this list, or that of the palette, which gets its keys, has no line or no room for one."""
    lists = node.query(OptionList) if isinstance(node, CommandPalette) else [node]
    return any(
        isinstance(each, OptionList) and not (each.option_count and each.scrollable_content_region)
        for each in lists
    )
