"""The presets side by side, one of them chosen."""

import textwrap

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from core.config import PRESETS, SETTINGS, Preset

VALUES = (
    ("epochs", "epochs"),
    ("learning_rate", "learning rate"),
    ("augmentation_expansion", "augmentation"),
    ("dropout", "dropout"),
    ("weight_decay", "weight decay"),
    ("kl_warmup_fraction", "KL warm-up"),
    ("gradient_clip_norm", "gradient clip"),
)


WIDTH_FOR_VALUES = 20


class PresetCard(Widget):
    """Name, range of files, what it does, and the values in which presets differ if they fit.

    Cards are as tall as the one with the longest text.  On a short screen it is name and range alone.
    """

    chosen: reactive[bool] = reactive(False, toggle_class="-chosen")

    class Clicked(Message):
        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    def __init__(self, preset: Preset, suggested: bool) -> None:
        super().__init__(id=f"preset-{preset.name}")
        self.preset = preset
        self.border_title = "★ suggested" if suggested else None

    def render(self) -> Text:
        preset = self.preset
        mark = "◉" if self.chosen else "○"
        text = Text(f"{mark} {preset.title}", style="bold")
        text.append(f"\n{preset.minimum_files}–{preset.maximum_files} files", style="not bold dim")
        if self._is_short:
            return text
        lines = self._description(preset, self.content_size.width)
        lines += [""] * (self._description_height(self.content_size.width) - len(lines))
        text.append("".join(f"\n{line}" for line in lines), style="not bold")
        if self.content_size.width < WIDTH_FOR_VALUES:
            return text
        for name, label in VALUES:
            setting = SETTINGS[name]
            unit = setting.unit if setting.unit == "×" else ""
            text.append(f"\n{label:<14}", style="not bold dim")
            text.append(f"{setting.show(preset.values[name])}{unit}", style="not bold not dim")
        return text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        if self._is_short:
            return 2
        return 2 + self._description_height(width) + (len(VALUES) if width >= WIDTH_FOR_VALUES else 0)

    @property
    def _is_short(self) -> bool:
        return self.screen.has_class("-short")

    @staticmethod
    def _description(preset: Preset, width: int) -> list[str]:
        return textwrap.wrap(preset.description, max(1, width))

    def _description_height(self, width: int) -> int:
        return max(len(self._description(preset, width)) for preset in PRESETS.values())

    def on_click(self) -> None:
        self.post_message(self.Clicked(self.preset))


class PresetChooser(Horizontal, can_focus=True):
    """The cards as one focusable widget; arrows move the choice.  Posts `Chosen` and `Accepted`."""

    BINDINGS = [
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
        Binding("enter", "accept", show=False),
    ]

    chosen: reactive[str] = reactive("", init=False)

    class Chosen(Message):
        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    class Accepted(Message):
        """Enter was pressed: start with the chosen preset."""

    def __init__(self, suggested: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._suggested = suggested

    def compose(self) -> ComposeResult:
        for preset in PRESETS.values():
            yield PresetCard(preset, suggested=preset.name == self._suggested)

    def on_mount(self) -> None:
        self.chosen = self._suggested

    def watch_chosen(self, name: str) -> None:
        for card in self.query(PresetCard):
            card.chosen = card.preset.name == name
        self.post_message(self.Chosen(PRESETS[name]))

    @on(PresetCard.Clicked)
    def choose_clicked(self, message: PresetCard.Clicked) -> None:
        message.stop()
        self.chosen = message.preset.name

    def action_move(self, by: int) -> None:
        names = list(PRESETS)
        index = names.index(self.chosen) + by
        self.chosen = names[min(max(index, 0), len(names) - 1)]

    def action_accept(self) -> None:
        self.post_message(self.Accepted())
