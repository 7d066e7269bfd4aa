"""Settings of one kind, which can be folded away."""

from collections.abc import Sequence
from typing import Any

from textual.widgets import Collapsible

from core.config import Setting
from sda_tui import format as fmt
from sda_tui.widgets.setting_row import SettingRow


class SettingGroup(Collapsible):
    """Its title counts the settings, those that were changed, and those that are not valid."""

    def __init__(self, group: str, settings: Sequence[Setting], compared_with: str) -> None:
        self._group = group
        self.rows = [SettingRow(setting, compared_with) for setting in settings]
        super().__init__(*self.rows, id=f"group-{group.lower()}")
        self.count()

    def count(self) -> None:
        """Bring the title up to date."""
        wrong = sum(bool(row.problem) for row in self.rows)
        changed = sum(row.differs for row in self.rows) - wrong
        shown = sum(row.display for row in self.rows)
        parts = [fmt.count(shown, "setting") if shown == len(self.rows) else f"{shown} of {len(self.rows)}"]
        parts += [f"● {changed} changed"] * bool(changed) + [f"✗ {wrong} not valid"] * bool(wrong)
        self.title = f"{self._group}  ·  {'  ·  '.join(parts)}"
        self.set_class(bool(wrong), "-wrong")

    def scroll_visible(self, *args: Any, **kwargs: Any) -> None:
        """Unfolded by itself it comes into view; with all others it stays where it is."""
        if self.has_focus_within:
            super().scroll_visible(*args, **kwargs)
