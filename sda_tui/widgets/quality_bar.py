"""How well the model does on held-out sounds, as a bar with a word."""

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

GOOD = 0.9
CELLS = 10


class QualityBar(Widget):
    """`quality` is 0 to 1, None before the first epoch; the detector reports `is_overfitting`."""

    quality: reactive[float | None] = reactive(None)
    is_overfitting: reactive[bool] = reactive(False)

    def render(self) -> Text:
        if self.quality is None:
            return Text("Quality    – after epoch 1", style="dim")
        filled = round(self.quality * CELLS)
        word, variable = judge(self.quality, self.is_overfitting)
        colour = self.app.theme_variables[variable]
        text = Text("Quality    ", style="dim")
        text.append("█" * filled, style=f"not dim {colour}")
        text.append("░" * (CELLS - filled))
        text.append(f" {self.quality:.0%} {word}", style=f"not dim bold {colour}")
        return text


def judge(quality: float, is_overfitting: bool) -> tuple[str, str]:
    """The word for a quality, and the theme's colour variable for it.

    Low quality means a wide gap between training and validation, which a small and varied dataset has from
    the start, even while validation improves.  Only the detector reports overfitting.
    """
    if is_overfitting:
        return "overfitting", "error"
    return ("good", "success") if quality >= GOOD else ("caution: wide gap", "warning")
