"""A field of the form for new sounds."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Select

from core.config import Setting


def making_field(setting: Setting) -> ComposeResult:
    """A line with the name and the value of a setting."""
    with Horizontal(classes="making-line"):
        yield Label(setting.name)
        if setting.choices:
            yield Select.from_values(
                setting.choices,
                value=setting.show(setting.default),
                allow_blank=False,
                compact=True,
                id=f"make-{setting.name}",
            )
        else:
            yield Input(setting.show(setting.default), compact=True, id=f"make-{setting.name}")
