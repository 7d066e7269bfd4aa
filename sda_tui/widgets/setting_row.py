"""One field of the training configuration: its names, its value, and whether it differs."""

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Select

from core.config import Setting, SettingValue
from core.engine import check_clip
from core.errors import SdaError


class SettingRow(Vertical):
    """Posts `Changed` with a valid value, or with the reason why what was typed is not valid.

    The reason stands below the field.  A click on the mark of one that differs resets it, anywhere else it
    goes to the field.
    """

    class Changed(Message):
        def __init__(self, setting: Setting, value: SettingValue, problem: str) -> None:
            super().__init__()
            self.setting = setting
            self.value = value
            self.problem = problem

    def __init__(self, setting: Setting, compared_with: str = "preset") -> None:
        super().__init__(id=f"setting-{setting.name}", classes=f"-{setting.kind}")
        self.setting = setting
        self.compared_with = compared_with
        self.preset_value: SettingValue = setting.default
        self.problem = ""
        self._value: SettingValue = setting.default

    def compose(self) -> ComposeResult:
        setting = self.setting
        with Horizontal(classes="setting-line"):
            yield Label(setting.title, classes="setting-title")
            yield Label(setting.name, classes="setting-name")
            if setting.kind in ("bool", "choice"):
                words = setting.choices or ("yes", "no")
                shown = setting.show(setting.default)
                yield Select.from_values(words, value=shown, allow_blank=False, compact=True)
            else:
                yield Input(setting.show(setting.default), compact=True)
            yield Label("", classes="setting-mark")
            yield Label(f"{setting.unit}  {setting.range}".strip(), classes="setting-range")
        yield Label(setting.help, classes="setting-help")

    @property
    def field(self) -> Input | Select[str]:
        """Where the value is typed or chosen."""
        if self.setting.kind in ("bool", "choice"):
            return self.query_one(Select)
        return self.query_one(Input)

    @property
    def differs(self) -> bool:
        """Whether there is something to reset."""
        return bool(self.problem) or self._value != self.preset_value

    def show(self, value: SettingValue, preset_value: SettingValue) -> None:
        """Put a value into the field, and keep the preset's to compare it with."""
        self.preset_value = preset_value
        self._value = value
        self.field.value = self.setting.show(value)
        self._mark("")

    def reset(self) -> None:
        """Set the preset's value."""
        self.show(self.preset_value, self.preset_value)
        self.post_message(self.Changed(self.setting, self.preset_value, ""))

    @on(Input.Changed)
    @on(Select.Changed)
    def read(self, event: Input.Changed | Select.Changed) -> None:
        event.stop()
        try:
            value, problem = self.setting.parse(str(event.value)), ""
            if self.setting.kind == "file":
                check_clip(str(value))
        except SdaError as error:
            value, problem = self._value, str(error)
        if value == self._value and not problem and not self.problem:
            return  # the field was filled in by `show`
        self._value = value
        self._mark(problem)
        self.post_message(self.Changed(self.setting, value, problem))

    def on_click(self, event: events.Click) -> None:
        if self.differs and event.widget is self.query_one(".setting-mark"):
            self.reset()
        elif not self.has_focus_within:
            self.field.focus()

    def _mark(self, problem: str) -> None:
        """Show the problem, and the preset's value if this one differs."""
        self.problem = problem
        self.set_class(bool(problem), "-invalid")
        differs = self._value != self.preset_value
        self.set_class(differs and not problem, "-differs")
        preset = self.setting.show(self.preset_value)
        mark = "✗" if problem else f"● {self.compared_with}: {preset or 'empty'}" if differs else ""
        self.query_one(".setting-mark", Label).update(Text(mark))
        self.query_one(".setting-help", Label).update(Text(problem or self.setting.help))
