"""The values that sounds are made with: a field for each setting, and the checkpoint."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from core.config import (
    GenerateSettings,
    MakingSettings,
    OutputSettings,
    Setting,
    VarySettings,
    describe_settings,
)
from sda_tui.widgets.making_field import MakingField

GENERATE_FIELDS = ("count", "temperature", "detail", "seconds", "seed")
VARY_FIELDS = ("amount",)
OUTPUT_FIELDS = ("level", "format", "sample_rate", "quality")
CHECKPOINT, CHECKPOINTS = "checkpoint", ("best", "newest")
FORM: Sequence[tuple[type[MakingSettings], Sequence[str]]] = (
    (GenerateSettings, GENERATE_FIELDS),
    (VarySettings, VARY_FIELDS),
    (OutputSettings, OUTPUT_FIELDS),
)


class MakingForm(VerticalScroll, can_focus=False):
    """A line for each; scrolls where there is no room for all, so that what is below it stays in sight."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.settings: Mapping[str, Setting] = {
            name: describe_settings(config)[name] for config, names in FORM for name in names
        }
        self.styles.max_height = len(self.settings) + 1

    def compose(self) -> ComposeResult:
        yield from map(MakingField, self.settings.values())
        with Horizontal(classes="making-line"):
            yield Label("Checkpoint")
            yield Select.from_values(
                CHECKPOINTS, value=CHECKPOINTS[0], allow_blank=False, compact=True, id=f"make-{CHECKPOINT}"
            )

    def values(self, names: Sequence[str]) -> dict[str, str]:
        """What is written in these fields, or chosen."""
        fields = {name: self._field(name) for name in names}
        return {name: str(field.value) for name, field in fields.items() if isinstance(field, Input | Select)}

    def go_to(self, name: str) -> None:
        self._field(name).focus()

    def explain(self, focused: Widget | None) -> str:
        """What the field is for that has the focus; empty if none of these has."""
        name = (focused.id or "").removeprefix("make-") if focused is not None else ""
        setting = self.settings.get(name)
        return f"{setting.help} {setting.range}." if setting is not None else ""

    def _field(self, name: str) -> Widget:
        return self.query_one(f"#make-{name}")
