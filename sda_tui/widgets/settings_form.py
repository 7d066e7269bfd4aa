"""Settings in folded groups: filtered by words, those that were changed listed first."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from core.config import Setting, SettingValue, TrainingConfig
from core.text import printable
from sda_tui.until_left import UntilLeft
from sda_tui.widgets.setting_group import SettingGroup
from sda_tui.widgets.setting_row import SettingRow
from sda_tui.widgets.settings_filter import SettingsFilter

TITLE = "CollapsibleTitle"


class SettingsForm(UntilLeft, Vertical):
    """Holds what the user changed, and what is not valid.  Posts `Edited` when either is another.

    Values are compared with those given to `show`: a preset's, or those that a run has now.  `changes` are
    there from the start.
    """

    class Edited(Message):
        """A value was changed, or is not valid any more, or is again."""

    def __init__(
        self,
        settings: Mapping[str, Setting],
        compared_with: str = "preset",
        changes: Mapping[str, SettingValue] = MappingProxyType({}),
    ) -> None:
        super().__init__(id="form")
        self.changes: dict[str, SettingValue] = dict(changes)
        self.problems: dict[str, str] = {}
        self._settings = settings
        self._compared_with = compared_with
        self._was_collapsed: dict[str, bool] = {}  # before the filter unfolded groups

    def compose(self) -> ComposeResult:
        with Horizontal(id="filter-line"):
            yield Label("Filter")
            yield SettingsFilter(placeholder="words, such as noise", id="filter", compact=True)
            yield Label("", id="filter-count")
        yield Static(id="filter-none")
        yield OptionList(id="changed")
        for group in dict.fromkeys(setting.group for setting in self._settings.values()):
            of_group = [each for each in self._settings.values() if each.group == group]
            yield SettingGroup(group, of_group, self._compared_with)

    def on_mount(self) -> None:
        self.query_one("#filter-none").display = False
        self.query_one("#changed").display = False

    @property
    def groups(self) -> list[SettingGroup]:
        return list(self.query(SettingGroup))

    def row(self, name: str) -> SettingRow:
        return self.query_one(f"#setting-{name}", SettingRow)

    def show(self, config: TrainingConfig) -> None:
        """Fill in the values to compare with; what the user changed stays changed."""
        self.problems.clear()
        for row in self.query(SettingRow):
            value = getattr(config, row.setting.name)
            row.show(self.changes.get(row.setting.name, value), value)
        self._update()

    def set_locked(self, names: Collection[str], is_locked: bool) -> None:
        """Let some settings not be changed, or be changed again; changes of them are dropped."""
        for name in names:
            self.changes.pop(name, None)
            self.row(name).disabled = is_locked

    @on(SettingRow.Changed)
    def take(self, message: SettingRow.Changed) -> None:
        message.stop()
        name = message.setting.name
        self.problems.pop(name, None)
        if message.problem:
            self.problems[name] = message.problem
        elif message.value == self.row(name).preset_value:
            self.changes.pop(name, None)
        else:
            self.changes[name] = message.value
        self._update()
        self.post_message(self.Edited())

    # -- reset ---------------------------------------------------------------------------------------------

    def reset_chosen(self) -> bool:
        """Reset the field that has the focus, or the one chosen in the list of changes; False if none is."""
        row = next((each for each in self.query(SettingRow) if each.has_focus_within), None)
        changed = self.query_one("#changed", OptionList)
        if row is None and changed.has_focus and changed.highlighted is not None:
            row = self.row(str(changed.get_option_at_index(changed.highlighted).id))
        if row is None:
            return False
        row.reset()
        return True

    def reset_all(self) -> None:
        """Drop all changes; `show` is to follow."""
        self.changes.clear()

    # -- folding and filtering ----------------------------------------------------------------------------

    def toggle_groups(self) -> None:
        """Unfold all groups, or fold them if all are unfolded."""
        is_folded = any(group.collapsed for group in self.groups)
        for group in self.groups:
            group.collapsed = not is_folded
        first = next(group for group in self.groups if group.display)
        first.query_one(TITLE).focus()  # no field, which would take the same key as text

    def go_to(self, name: str) -> None:
        """Show a setting, whatever is folded or filtered, and go to its field."""
        row = self.row(name)
        if not row.display:
            self.query_one("#filter", Input).value = ""
            self._filter("")
        next(group for group in self.groups if row in group.rows).collapsed = False
        self.call_after_refresh(row.field.focus)

    @on(Input.Changed, "#filter")
    def take_filter(self, event: Input.Changed) -> None:
        event.stop()
        self._filter(event.value)

    @on(SettingsFilter.Left)
    def leave_filter(self, message: SettingsFilter.Left) -> None:
        message.stop()
        hits = [row for row in self.query(SettingRow) if row.display and not row.disabled]
        if self._was_collapsed and hits:
            hits[0].field.focus()
        elif not self._was_collapsed:
            self.groups[0].query_one(TITLE).focus()

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        if words and not self._was_collapsed:
            self._was_collapsed = {str(group.id): group.collapsed for group in self.groups}
        hits = 0
        for group in self.groups:
            for row in group.rows:
                row.display = _matches(row.setting, words)
            of_group = sum(row.display for row in group.rows)
            group.display = bool(of_group)
            if words:
                group.collapsed = False
            elif self._was_collapsed:
                group.collapsed = self._was_collapsed[str(group.id)]
            group.count()
            hits += of_group
        if not words:
            self._was_collapsed = {}
        self.query_one("#filter-count", Label).update(f"{hits} of {len(self._settings)}" if words else "")
        none = self.query_one("#filter-none", Static)
        none.display = not hits
        none.update(Text(f"No setting has “{printable(text.strip())}” in its names or its help; esc clears."))

    # -- changes -------------------------------------------------------------------------------------------

    @on(OptionList.OptionSelected, "#changed")
    def go_to_change(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.go_to(str(event.option_id))

    def _update(self) -> None:
        """List what is not valid and what was changed, and count both in the groups' titles."""
        for group in self.groups:
            group.count()
        changed = self.query_one("#changed", OptionList)
        options = [self._option(name) for name in dict.fromkeys((*self.problems, *self.changes))]
        if [str(each.prompt) for each in options] == [str(each.prompt) for each in changed.options]:
            return
        chosen, before = changed.highlighted, len(changed.options)
        changed.set_options(options)
        changed.display = bool(options)
        changed.highlighted = min(chosen or 0, len(options) - 1) if options else None
        field = next((row for row in self.query(SettingRow) if row.has_focus_within), None)
        if field is not None and before != len(options):
            self.call_after_refresh(field.scroll_visible, animate=False)  # the list above it grew or shrank
        if not options and changed.has_focus:
            self.groups[0].query_one(TITLE).focus()

    def _option(self, name: str) -> Option:
        setting, row = self._settings[name], self.row(name)
        text = Text(no_wrap=True, overflow="ellipsis")
        if name in self.problems:
            text.append("✗ ").append(f"{setting.title}  ", "bold").append(printable(self.problems[name]))
        else:
            value = setting.show(self.changes[name]) or "empty"
            before = setting.show(row.preset_value) or "empty"
            text.append("● ").append(f"{setting.title}  ", "bold").append(printable(value))
            text.append(f"  {self._compared_with}: {printable(before)}", "dim")
        return Option(text, id=name)


def _matches(setting: Setting, words: Collection[str]) -> bool:
    searched = f"{setting.name} {setting.title} {setting.help} {setting.group}".lower()
    return all(word in searched for word in words)
