"""A line with the name and the value of a setting for making sounds."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Select

from core.config import Setting


class MakingField(Horizontal):
    """The value is a choice or a text, whose id is that of the setting after "make-"."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(classes="making-line")
        self._setting = setting

    def compose(self) -> ComposeResult:
        setting, value = self._setting, self._setting.show(self._setting.default)
        yield Label(setting.title)
        if setting.choices:
            yield Select.from_values(
                setting.choices, value=value, allow_blank=False, compact=True, id=f"make-{setting.name}"
            )
        else:
            yield Input(value, compact=True, id=f"make-{setting.name}")
