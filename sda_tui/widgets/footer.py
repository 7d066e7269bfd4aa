"""The keys of a screen, as many as fit."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer, Input, Label
from textual.widgets._footer import FooterKey

from sda_tui.keymap.shown import CHARACTERS

KEY_PADDING, PALETTE_PADDING = 3, 5  # cells around key and label
MORE = " … "
KEPT = ("back", "leave", "app.help")  # actions that are always shown: the way back, and what lists the others


class MoreKeys(Label):
    """Stands for the keys that have no room; a click shows all."""

    def on_click(self) -> None:
        self.app.call_later(self.app.run_action, "help")  # which outlives this label and gets the answer


class KeyFooter(Footer):
    """Textual's footer scrolls sideways where there is no room, which nobody sees.  This one leaves out the
    last keys, and an ellipsis says so; the keys for going back and for help stay."""

    def compose(self) -> ComposeResult:
        keys = [each for each in super().compose() if isinstance(each, FooterKey)]
        if isinstance(self.screen.focused, Input):  # Textual leaves out most of what it takes, but not all
            keys = [each for each in keys if not _is_character(each.key)]
        palette = [each for each in keys if each.has_class("-command-palette")]
        others = [each for each in keys if not each.has_class("-command-palette")]
        kept = [each for each in others if each.action in KEPT]
        rest = [each for each in others if each.action not in KEPT]
        width = self.size.width or self.app.size.width
        room = width - _width(kept, KEY_PADDING) - _width(palette, PALETTE_PADDING)
        count = fitting([_width([each], KEY_PADDING) for each in rest], room, len(MORE))
        yield from rest[:count]
        if count < len(rest):
            yield MoreKeys(MORE, id="more-keys")
        yield from kept
        yield from palette

    def on_resize(self, event: Resize) -> None:
        self.refresh(recompose=True)


def _is_character(key: str) -> bool:
    return len(key) == 1 or key == "space" or key in CHARACTERS


def fitting(widths: Sequence[int], room: int, mark: int) -> int:
    """How many, from the first on, fit into the room, with that of a mark if there are more."""
    if sum(widths) <= room:
        return len(widths)
    taken = mark
    for count, width in enumerate(widths):
        taken += width
        if taken > room:
            return count
    return len(widths)


def _width(keys: Iterable[FooterKey], padding: int) -> int:
    return sum(cell_len(each.key_display) + cell_len(each.description) + padding for each in keys)
