"""The one table of keys: dispatch, footer, help and palette all come from it."""

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Command:
    """Something that a key does.  `keys` as Textual writes them; `sentence` is its help."""

    keys: str
    action: str
    label: str
    sentence: str
    in_footer: bool = True
    in_palette: bool = True
    key_display: str | None = None


@dataclass(frozen=True)
class Scope:
    """The commands of one screen, or of all."""

    title: str
    commands: tuple[Command, ...]

    def bindings(self) -> list[BindingType]:
        return [
            Binding(
                command.keys,
                command.action,
                command.label,
                show=command.in_footer,
                key_display=command.key_display,
                tooltip=command.sentence,
            )
            for command in self.commands
        ]


KEYMAP: Mapping[str, Scope] = {
    "datasets": Scope(
        "Datasets",
        (
            Command("n,ctrl+n", "proceed", "Next", "Go on to the settings with the scanned folder."),
            Command("slash", "focus_path", "Path", "Type the path of a folder; → completes it."),
            Command("backspace", "tree_up", "Up", "Show the folder above in the tree.", False),
            Command("d", "demo", "Demo", "Choose the demo sounds, which the program synthesises."),
            Command("r", "runs", "Runs", "See all runs; continue one or look at it."),
            Command("o", "order", "Order", "Sort the files by the next column."),
            Command("escape", "stop_scan", "Stop scan", "Stop the scan that is going on."),
        ),
    ),
    "settings": Scope(
        "Settings",
        (
            Command("n,ctrl+n", "start", "Start", "Begin to train with these settings."),
            Command(
                "1", "preset('conservative')", "Conservative", "Choose the preset for few sounds.", False
            ),
            Command("2", "preset('balanced')", "Balanced", "Choose the preset for a middling folder.", False),
            Command("3", "preset('aggressive')", "Aggressive", "Choose the preset for many sounds.", False),
            Command("a", "advanced", "Advanced", "Fold the advanced settings out or in."),
            Command("ctrl+r", "reset", "Reset", "Set the chosen field back to the preset's value."),
            Command("escape", "back", "Back", "Back to the choice of a folder."),
        ),
    ),
    "dashboard": Scope(
        "Dashboard",
        (
            Command("c", "cancel", "Cancel", "Stop training; the state is saved at this very step."),
            Command("s", "save", "Save", "Save a checkpoint now; it is kept."),
            Command("up", "cursor_up", "Previous", "Choose the preview above.", False, key_display="↑"),
            Command("down", "cursor_down", "Next", "Choose the preview below.", False, key_display="↓"),
            Command("right,enter,space", "play", "Play", "Play the chosen preview.", key_display="→"),
            Command("left", "stop", "Stop", "Stop playing.", False, key_display="←"),
            Command("a", "compare", "A/B", "Play the original after the reconstruction, and the other way."),
            Command(
                "b", "earlier", "Older", "Play the same preview of the epoch before; again: further back."
            ),
            Command("o", "order", "Order", "Show the newest previews first, or last.", False),
            Command("escape", "back", "Back", "Leave the dashboard; training goes on."),
        ),
    ),
    "runs": Scope(
        "Runs",
        (
            Command("n,ctrl+n", "proceed", "Continue", "Continue the chosen run from its newest checkpoint."),
            Command("enter,v", "open", "View", "Look at the chosen run without continuing it."),
            Command("u", "reload", "Update", "Read the list again."),
            Command("escape", "back", "Back", "Back to the choice of a folder."),
        ),
    ),
    "app": Scope(
        "Everywhere",
        (
            Command("question_mark", "help", "Help", "Show all keys.", key_display="?"),
            Command("ctrl+q,q,ctrl+c", "quit", "Quit", "Leave; asks first while a run is training."),
            Command("ctrl+p", "command_palette", "Palette", "Find any command by name.", False, False),
        ),
    ),
}
