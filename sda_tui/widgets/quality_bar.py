"""How well the model does on sounds that it has not seen, as a bar with a word."""

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

GOOD, CAUTION = 0.9, 0.8
CELLS = 10


class QualityBar(Widget):
    """`quality` from 0 to 1; None before the first epoch."""

    quality: reactive[float | None] = reactive(None)

    def render(self) -> Text:
        if self.quality is None:
            return Text("Quality    – after epoch 1", style="dim")
        filled = round(self.quality * CELLS)
        word, variable = judge(self.quality)
        colour = self.app.theme_variables[variable]
        text = Text("Quality    ", style="dim")
        text.append("█" * filled, style=f"not dim {colour}")
        text.append("░" * (CELLS - filled))
        text.append(f" {self.quality:.0%} {word}", style=f"not dim bold {colour}")
        return text


def judge(quality: float) -> tuple[str, str]:
    """The word for a quality, and the theme's colour variable for it."""
    if quality >= GOOD:
        return "good", "success"
    return ("caution", "warning") if quality >= CAUTION else ("overfitting", "error")
