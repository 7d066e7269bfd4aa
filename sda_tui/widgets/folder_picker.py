"""Three ways to choose a folder: type its path, take a recent one, find it in the tree."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.text import Text, TextType
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import Paste
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import DirectoryTree, Input, OptionList
from textual.widgets.option_list import Option

from core.errors import SdaError
from core.paths import expand, is_folder
from core.text import printable
from sda_tui.look import show_path
from sda_tui.pasted import join_lines, read_paths

DEMO = "demo"


class PathInput(Input):
    """Takes all lines that are pasted: terminals and file managers put a path on each.

    Escape leaves it, and takes back what was typed.
    """

    BINDINGS = [Binding("escape", "leave", "Leave")]

    _before = ""  # what was in it when it got the focus

    def on_focus(self) -> None:
        self._before = self.value

    def action_leave(self) -> None:
        self.value = self._before
        self.screen.set_focus(None)

    def on_paste(self, event: Paste) -> None:
        event.prevent_default()  # Input's own takes the first line alone
        event.stop()
        self.replace(join_lines(event.text), *self.selection)


class FolderSuggester(Suggester):
    """Completes a path to the first folder whose name starts with what was typed."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        parent, separator, start = value.rpartition("/")
        try:
            folder = expand(Path(parent + separator)) if separator else Path()
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        except (OSError, SdaError):
            return None
        matching = [name for name in names if name.startswith(start) and (start or not name.startswith("."))]
        return f"{parent}{separator}{matching[0]}/" if matching and value else None


class FolderTree(DirectoryTree):
    """Folders only, hidden ones left out."""

    ICON_NODE = "▸ "  # the width of emoji differs between terminals
    ICON_NODE_EXPANDED = "▾ "

    def process_label(self, label: TextType) -> Text:
        return super().process_label(Text(printable(str(label))))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return [path for path in paths if not path.name.startswith(".") and is_folder(path)]


class FolderPicker(Vertical):
    """Posts `Picked` with files and folders, or `DemoPicked`."""

    class Picked(Message):
        def __init__(self, *paths: Path) -> None:
            super().__init__()
            self.paths = paths

    class DemoPicked(Message):
        """The demo sounds were chosen."""

    def __init__(self, root: Path, id: str | None = None) -> None:
        super().__init__(id=id)
        self._root = root
        self._recent: list[Sequence[Path]] = []

    def compose(self) -> ComposeResult:
        yield PathInput(placeholder="Path of a folder", suggester=FolderSuggester(), id="path", compact=True)
        yield OptionList(Option("Demo sounds", id=DEMO), id="recent", compact=True)
        yield FolderTree(self._root, id="tree")

    def on_mount(self) -> None:
        self.query_one("#recent").border_title = "Recent"
        self.query_one("#tree").border_title = "Folders"

    def show_recent(self, datasets: Sequence[Sequence[Path]]) -> None:
        """Offer files and folders that earlier runs were trained on, newest first."""
        self._recent = list(datasets)
        recent = self.query_one("#recent", OptionList)
        recent.set_options([Option("Demo sounds", id=DEMO)])
        for index, (first, *others) in enumerate(datasets):
            more = f" and {len(others)} more" if others else ""
            line = Text.assemble(printable(first.name) + more, (f"  {show_path(first.parent)}", "dim"))
            recent.add_option(Option(line, id=str(index)))
        recent.highlighted = 0

    def focus_path(self) -> None:
        self.query_one("#path").focus()

    def show_parent(self) -> None:
        tree = self.query_one("#tree", FolderTree)
        tree.path = Path(tree.path).absolute().parent

    @on(Input.Submitted, "#path")
    def submit_path(self, event: Input.Submitted) -> None:
        event.stop()
        if paths := read_paths(event.value):
            self.post_message(self.Picked(*paths))

    @on(OptionList.OptionSelected, "#recent")
    def select_recent(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id == DEMO:
            self.post_message(self.DemoPicked())
        elif event.option.id is not None:
            self.post_message(self.Picked(*self._recent[int(event.option.id)]))

    @on(DirectoryTree.DirectorySelected, "#tree")
    def select_in_tree(self, event: DirectoryTree.DirectorySelected) -> None:
        event.stop()
        self.post_message(self.Picked(event.path))
