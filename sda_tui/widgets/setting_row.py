"""One field of the training configuration: value, unit, range, help, and whether it differs."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Select

from core.config import Setting, SettingValue
from core.engine import check_clip
from core.errors import SdaError


class SettingRow(Vertical):
    """Posts `Changed` with a valid value, or with the reason why what was typed is not valid."""

    class Changed(Message):
        def __init__(self, setting: Setting, value: SettingValue, problem: str) -> None:
            super().__init__()
            self.setting = setting
            self.value = value
            self.problem = problem

    def __init__(self, setting: Setting, compared_with: str = "preset") -> None:
        super().__init__(id=f"setting-{setting.name}", classes=f"-{setting.kind}")
        self.setting = setting
        self._compared_with = compared_with
        self._preset_value: SettingValue = setting.default
        self._value: SettingValue = setting.default

    def compose(self) -> ComposeResult:
        setting = self.setting
        with Horizontal(classes="setting-line"):
            yield Label(setting.name, classes="setting-name")
            if setting.kind in ("bool", "choice"):
                words = setting.choices or ("yes", "no")
                shown = setting.show(setting.default)
                yield Select.from_values(words, value=shown, allow_blank=False, compact=True)
            else:
                yield Input(setting.show(setting.default), compact=True)
            yield Label(f"{setting.unit}  {setting.range}".strip(), classes="setting-range")
            yield Label("", classes="setting-mark")
        yield Label(setting.help, classes="setting-help")

    def show(self, value: SettingValue, preset_value: SettingValue) -> None:
        """Put a value into the field, and keep the preset's to compare it with."""
        self._preset_value = preset_value
        self._value = value
        text = self.setting.show(value)
        if self.setting.kind in ("bool", "choice"):
            self.query_one(Select).value = text
        else:
            self.query_one(Input).value = text
        self._mark("")

    def reset(self) -> None:
        """Set the preset's value."""
        self.show(self._preset_value, self._preset_value)
        self.post_message(self.Changed(self.setting, self._preset_value, ""))

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
        if value == self._value and not problem and not self.has_class("-invalid"):
            return  # the field was filled in by `show`
        self._value = value
        self._mark(problem)
        self.post_message(self.Changed(self.setting, value, problem))

    def _mark(self, problem: str) -> None:
        """Show the problem in place of the help, or the preset's value if this one differs."""
        self.set_class(bool(problem), "-invalid")
        differs = self._value != self._preset_value
        self.set_class(differs and not problem, "-differs")
        preset = self.setting.show(self._preset_value)
        mark = "✗" if problem else f"● {self._compared_with}: {preset or 'empty'}" if differs else ""
        self.query_one(".setting-mark", Label).update(Text(mark))
        self.query_one(".setting-help", Label).update(Text(problem or self.setting.help))
