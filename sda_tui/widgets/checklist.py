"""Lines that are marked or not."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

MARKED, UNMARKED, BARRED = "[x]", "[ ]", " – "  # a mark and not a colour alone
LABEL_WIDTH = 13


@dataclass(frozen=True)
class Check:
    """A line of a list: what it is called, what that means, and why it cannot be marked, if it cannot."""

    id: str
    label: str
    about: str
    problem: str = ""
    is_marked: bool = False


class Checklist(OptionList):
    """Marked with ⏎, a click, or `action_select`.  None between two lines draws a rule.

    Posts `Pointed` with the line under the cursor, also after its mark changed.
    """

    class Pointed(Message):
        def __init__(self, check: Check) -> None:
            super().__init__()
            self.check = check

    def __init__(self, checks: Sequence[Check | None], id: str | None = None) -> None:
        self._checks = {check.id: check for check in checks if check is not None}
        self._marked = {check.id for check in self._checks.values() if check.is_marked}
        options = [None if check is None else Option(self._line(check), id=check.id) for check in checks]
        super().__init__(*options, id=id, compact=True)

    @property
    def marked(self) -> tuple[str, ...]:
        """The ids of the marked lines, in their order."""
        return tuple(id for id in self._checks if id in self._marked)

    def _line(self, check: Check) -> Text:
        mark = BARRED if check.problem else MARKED if check.id in self._marked else UNMARKED
        about = check.problem or check.about
        return Text.assemble(mark, " ", check.label.ljust(LABEL_WIDTH), (about, "dim"))

    @on(OptionList.OptionSelected)
    def _toggle(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        check = self._checks[str(event.option_id)]
        if not check.problem:
            self._marked ^= {check.id}
            self.replace_option_prompt(check.id, self._line(check))
        self.post_message(self.Pointed(check))

    @on(OptionList.OptionHighlighted)
    def _point(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.post_message(self.Pointed(self._checks[str(event.option_id)]))
