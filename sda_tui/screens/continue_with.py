"""A run continues with other settings: those that may change once a run has begun."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from core.config import SETTINGS, ResolvedConfig, SettingValue
from core.text import printable
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.setting_help import SETTINGS_WIDTHS, SettingHelp
from sda_tui.widgets.setting_row import SettingRow
from sda_tui.widgets.settings_form import SettingsForm
from sda_tui.widgets.settings_scroll import SettingsScroll
from sda_tui.widgets.title_bar import TitleBar

MAY_CHANGE = {name: setting for name, setting in SETTINGS.items() if not setting.fixed}
ABOUT = (
    "Settings that may change",
    "They hold from the next step on. ⏎ unfolds a group, a all of them; / filters by a word.",
)


class ContinueScreen(LeftOnce, UntilLeft, Screen[dict[str, SettingValue] | None]):
    """Returns the settings that are to change; None if the run is not to be continued."""

    SCOPE = "continue"
    BINDINGS = KEYMAP[SCOPE].bindings()
    HORIZONTAL_BREAKPOINTS = SETTINGS_WIDTHS
    AUTO_FOCUS = ""  # it would scroll

    def __init__(self, name: str, config: ResolvedConfig) -> None:
        super().__init__()
        self._run_name = name
        self._config = config

    def compose(self) -> ComposeResult:
        yield TitleBar("continue with other settings", printable(self._run_name))
        with Horizontal(id="settings-body"):
            with SettingsScroll(id="settings"):
                yield SettingsForm(MAY_CHANGE, compared_with="now")
            yield SettingHelp()
        with Horizontal(id="plan"):
            with VerticalScroll(id="plan-text", can_focus=False):
                yield Static(id="changes")
            yield Button(f"Continue  {key_of('continue.start')}", id="start", variant="primary")
        yield KeyFooter()

    def on_mount(self) -> None:
        self._form.show(self._config)
        self.show_changes()
        self.query_one("#start", Button).focus()

    @property
    def _form(self) -> SettingsForm:
        return self.query_one(SettingsForm)

    @on(SettingsForm.Edited)
    def show_changes(self) -> None:
        problems = self._form.problems
        self.query_one("#start", Button).disabled = bool(problems)
        text = "✗ " + " ".join(problems.values())
        if not problems:
            changed = ", ".join(
                f"{name} {SETTINGS[name].show(each)}" for name, each in self._form.changes.items()
            )
            text = f"From the next step on: {changed}." if changed else "Nothing changes yet."
        self.query_one("#changes", Static).update(Text(text))
        self.query_one("#changes", Static).set_class(bool(problems), "-error")
        self.explain_focused()

    def on_descendant_focus(self) -> None:
        self.explain_focused()

    def explain_focused(self) -> None:
        """Show the help of what has the focus."""
        ancestors = self.focused.ancestors if self.focused is not None else ()
        row = next((each for each in ancestors if isinstance(each, SettingRow)), None)
        self.query_one(SettingHelp).show(row or ABOUT)

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        if problems := self._form.problems:
            self.notify(" ".join(problems.values()), severity="error", markup=False)
            self._form.go_to(next(iter(problems)))
        else:
            self.dismiss(dict(self._form.changes))

    def action_all(self) -> None:
        self._form.toggle_groups()

    def action_filter(self) -> None:
        self.query_one("#filter", Input).focus()

    def action_reset(self) -> None:
        if not self._form.reset_chosen():
            self._form.reset_all()
            self._form.show(self._config)
            self.show_changes()

    def action_back(self) -> None:
        self.dismiss(None)
