"""A run continues with other settings: those that may change once a run has begun."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Label, Static

from core.config import SETTINGS, ResolvedConfig, SettingValue
from core.text import printable
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.setting_row import SettingRow
from sda_tui.widgets.title_bar import TitleBar

MAY_CHANGE = {name: setting for name, setting in SETTINGS.items() if not setting.fixed}


class ContinueScreen(Screen[dict[str, SettingValue] | None]):
    """Returns the settings that are to change; None if the run is not to be continued."""

    SCOPE = "continue"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, name: str, config: ResolvedConfig) -> None:
        super().__init__()
        self._run_name = name
        self._config = config
        self._changes: dict[str, SettingValue] = {}
        self._problems: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("continue with other settings", printable(self._run_name))
        with VerticalScroll(id="settings", can_focus=False):
            yield Static(id="changes")
            yield Button(f"Continue  {key_of('continue.start')}", id="start", variant="primary")
            for group in dict.fromkeys(setting.group for setting in MAY_CHANGE.values()):
                with Vertical(classes="setting-group"):
                    yield Label(group, classes="setting-group-title")
                    for setting in MAY_CHANGE.values():
                        if setting.group == group:
                            yield SettingRow(setting, compared_with="now")
        yield KeyFooter()

    def on_mount(self) -> None:
        for row in self.query(SettingRow):
            value = getattr(self._config, row.setting.name)
            row.show(value, value)
        self._show_changes()
        self.query_one("#start", Button).focus()

    @on(SettingRow.Changed)
    def take_setting(self, message: SettingRow.Changed) -> None:
        name = message.setting.name
        self._problems.pop(name, None)
        self._changes.pop(name, None)
        if message.problem:
            self._problems[name] = message.problem
        elif message.value != getattr(self._config, name):
            self._changes[name] = message.value
        self._show_changes()

    def _show_changes(self) -> None:
        self.query_one("#start", Button).disabled = bool(self._problems)
        text = "✗ " + " ".join(self._problems.values())
        if not self._problems:
            changed = ", ".join(f"{name} {SETTINGS[name].show(each)}" for name, each in self._changes.items())
            text = f"From the next step on: {changed}." if changed else "Nothing changes yet."
        self.query_one("#changes", Static).update(Text(text))
        self.query_one("#changes", Static).set_class(bool(self._problems), "-error")

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        if self._problems:
            self.notify(" ".join(self._problems.values()), severity="error", markup=False)
        else:
            self.dismiss(dict(self._changes))

    def action_back(self) -> None:
        self.dismiss(None)
