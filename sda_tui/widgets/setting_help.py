"""What the focused part of the settings is: beside them, or in few lines below where there is no room."""

import textwrap
from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from core.config import PRESETS, SETTINGS, Preset
from core.text import printable
from sda_tui.widgets.preset_chooser import VALUES
from sda_tui.widgets.setting_row import SettingRow

WIDE_FROM = 100  # columns of the screen
SETTINGS_WIDTHS = [(0, "-narrow"), (WIDE_FROM, "-wide"), (120, "-wider"), (160, "-very-wide")]

Subject = SettingRow | Preset | tuple[str, str]


class SettingHelp(VerticalScroll, can_focus=False):
    """Explains a setting, a preset, or anything else that has a title and a text."""

    def __init__(self) -> None:
        super().__init__(id="setting-help")
        self._subject: Subject = ("", "")

    def compose(self) -> ComposeResult:
        yield Static(id="setting-help-text")

    def show(self, subject: Subject) -> None:
        """Explain this from now on; call it again when the subject has changed."""
        self._subject = subject
        self.query_one(Static).update(explain_subject(subject, self.screen.size.width))

    def on_resize(self, event: events.Resize) -> None:
        self.show(self._subject)


def explain_subject(subject: Subject, width: int) -> Text:
    """As a column of paragraphs and facts on a wide screen, else in about four lines."""
    is_wide = width >= WIDE_FROM
    if isinstance(subject, SettingRow):
        return _setting(subject, is_wide)
    if isinstance(subject, Preset):
        return _wide_preset(subject) if is_wide else _brief_preset(subject, width)
    title, about = subject
    return Text(title, style="bold").append("\n\n" if is_wide else "\n").append(about, "not bold")


def _setting(row: SettingRow, is_wide: bool) -> Text:
    setting = row.setting
    before = printable(setting.show(row.preset_value)) or "empty"
    text = Text(setting.title, style="bold")
    if not is_wide:
        later = "fixed once begun" if setting.fixed else "may change later"
        bounds = f"{setting.range} {setting.unit}".strip()
        text.append(f"  {setting.name}", "not bold dim").append(f"\n{setting.help}", "not bold")
        return text.append(f"\n{bounds} · {row.compared_with} {before} · {later}", "not bold dim")
    text.append(f"\n{setting.name}", "not bold dim").append(f"\n\n{setting.help}", "not bold")
    facts = [("Unit", setting.unit)] if setting.unit else []
    facts += [("Range", setting.range), (row.compared_with.capitalize(), before)]
    text.append("\n\n").append_text(_facts(facts))
    if setting.fixed:
        later = f"Fixed once a run has begun, as {setting.fixed}."
    else:
        later = "May be changed when the run continues."
    if setting.redefines_loss:
        later += " Losses before and after cannot be compared."
    text.append(f"\n\n{later}", "not bold")
    if row.problem:
        text.append(f"\n\n✗ {printable(row.problem)}", "bold")
    if row.differs:
        text.append(f"\n\nctrl+r, or a click on its mark, sets {before} again.", "not bold dim")
    return text


def _brief_preset(preset: Preset, width: int) -> Text:
    text = Text(preset.title, style="bold")
    text.append(f"  for {preset.minimum_files}–{preset.maximum_files} files", "not bold dim")
    text.append(f"\n{preset.description}\n", "not bold")
    values = " · ".join(f"{label} {value}" for label, value in _values(preset))
    lines = textwrap.wrap(values, max(8, width - 4), max_lines=2, placeholder=" …")
    return text.append("\n".join(lines), "not bold dim")


def _wide_preset(preset: Preset) -> Text:
    text = Text(preset.title, style="bold")
    text.append(f"\nfor {preset.minimum_files}–{preset.maximum_files} files", "not bold dim")
    text.append(f"\n\n{preset.description}\n\n", "not bold").append_text(_facts(_values(preset)))
    return text.append(f"\n\n←/→ or 1 to {len(PRESETS)} choose, ⏎ starts with it.", "not bold dim")


def _values(preset: Preset) -> list[tuple[str, str]]:
    return [(label, SETTINGS[name].show(preset.values[name])) for name, label in VALUES]


def _facts(facts: Sequence[tuple[str, str]]) -> Text:
    width = max(len(name) for name, _ in facts) + 2
    text = Text(style="not bold")
    for index, (name, value) in enumerate(facts):
        text.append("\n" * bool(index)).append(f"{name:<{width}}", "dim").append(value)
    return text
