"""The one table of keys: dispatch, footer, help and palette all come from it."""

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Command:
    """Something that a key does.

    `id` names it in a user's own key map, so it stays the same when the key, the action or the label changes.
    `keys` as Textual writes them.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    in_footer: bool = True
    in_palette: bool = True


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
                tooltip=command.help,
                id=command.id,
            )
            for command in self.commands
        ]


def _listening(scope: str, in_footer: bool) -> tuple[Command, Command]:
    """What decides where sounds play, on a screen that plays some."""
    return (
        Command(
            f"{scope}.listen",
            "l",
            "app.listen",
            "Listen",
            "Have sounds play on your own computer, in a page that follows this terminal.",
            in_footer,
        ),
        Command(
            f"{scope}.players",
            "p",
            "app.players",
            "Players",
            "Choose what plays: a device of this machine, the listener page, a program.",
            False,
        ),
    )


KEYMAP: Mapping[str, Scope] = {
    "datasets": Scope(
        "Datasets",
        (
            Command(
                "datasets.next", "n,ctrl+n", "proceed", "Next", "Continue to the settings with these sounds."
            ),
            Command(
                "datasets.path", "slash", "focus_path", "Path", "Type the path of a folder; → completes it."
            ),
            Command("datasets.up", "backspace", "tree_up", "Up", "Show the folder above in the tree.", False),
            Command(
                "datasets.demo", "d", "demo", "Demo", "Choose the demo sounds, which the program synthesises."
            ),
            Command("datasets.runs", "r", "runs", "Runs", "See all runs; continue one or look at it."),
            Command(
                "datasets.play",
                "space",
                "play",
                "Play",
                "Play the chosen file, its first minute; again: stop.",
            ),
            Command("datasets.previous", "up", "cursor_up", "Previous", "Choose the file above.", False),
            Command(
                "datasets.next-file", "down", "cursor_down", "Next file", "Choose the file below.", False
            ),
            *_listening("datasets", in_footer=False),
            Command(
                "datasets.leave-out",
                "x",
                "leave_out",
                "Leave out",
                "Leave the chosen file out of the dataset, or take it in again; the file stays as it is.",
            ),
            Command("datasets.order", "o", "order", "Order", "Sort the files by the next column."),
            Command("datasets.stop-scan", "escape", "stop_scan", "Stop scan", "Stop the scan in progress."),
        ),
    ),
    "settings": Scope(
        "Settings",
        (
            Command("settings.start", "n,ctrl+n", "start", "Start", "Start training with these settings."),
            Command(
                "settings.conservative",
                "1",
                "preset('conservative')",
                "Conservative",
                "Choose the preset for few sounds.",
                False,
            ),
            Command(
                "settings.balanced",
                "2",
                "preset('balanced')",
                "Balanced",
                "Choose the preset for a medium-sized folder.",
                False,
            ),
            Command(
                "settings.aggressive",
                "3",
                "preset('aggressive')",
                "Aggressive",
                "Choose the preset for many sounds.",
                False,
            ),
            Command("settings.advanced", "a", "advanced", "Advanced", "Show or hide the advanced settings."),
            Command(
                "settings.reset",
                "ctrl+r",
                "reset",
                "Reset",
                "Set the chosen field back to the preset's value.",
            ),
            Command("settings.back", "escape", "back", "Back", "Back to the choice of a folder."),
        ),
    ),
    "continue": Scope(
        "Continue with other settings",
        (
            Command("continue.start", "ctrl+n", "start", "Continue", "Continue the run with these settings."),
            Command("continue.back", "escape", "back", "Back", "Back to the runs; nothing changes."),
        ),
    ),
    "dashboard": Scope(
        "Dashboard",
        (
            Command(
                "dashboard.cancel",
                "c",
                "cancel",
                "Cancel",
                "Stop training; the state is saved at this very step.",
            ),
            Command("dashboard.save", "s", "save", "Save", "Save a checkpoint now; it is kept."),
            Command("dashboard.previous", "up", "cursor_up", "Previous", "Choose the preview above.", False),
            Command("dashboard.next", "down", "cursor_down", "Next", "Choose the preview below.", False),
            Command("dashboard.play", "right,enter,space", "play", "Play", "Play the chosen preview."),
            Command("dashboard.stop", "left", "stop", "Stop", "Stop playing.", False),
            Command(
                "dashboard.compare",
                "a",
                "compare",
                "A/B",
                "Play the original after the reconstruction, and the other way.",
            ),
            Command(
                "dashboard.older",
                "b",
                "earlier",
                "Older",
                "Play the same preview of the epoch before; again: further back.",
            ),
            *_listening("dashboard", in_footer=True),
            Command(
                "dashboard.copy",
                "y",
                "copy",
                "Copy",
                "Copy the scp line that brings the chosen preview to your own computer.",
                False,
            ),
            Command(
                "dashboard.order", "o", "order", "Order", "Show the newest previews first, or last.", False
            ),
            Command(
                "dashboard.go-back",
                "g",
                "go_back",
                "Go back",
                "Continue from an earlier checkpoint, the best one for example, in a new run or in this one.",
                False,
            ),
            Command(
                "dashboard.sounds",
                "m",
                "sounds",
                "Make sounds",
                "Make sounds with the best model so far, while training continues.",
            ),
            Command("dashboard.back", "escape", "back", "Back", "Leave the dashboard; training continues."),
        ),
    ),
    "listen": Scope(
        "Listening on your own computer",
        (
            Command("listen.tunnel", "y", "copy_tunnel", "Copy line 1", "Copy the ssh line again."),
            Command("listen.address", "u", "copy_address", "Copy address", "Copy the address of the page."),
            Command(
                "listen.edit",
                "e",
                "edit",
                "Edit host",
                "Change how ssh there calls this machine; it is kept.",
            ),
            Command(
                "listen.open",
                "o",
                "open",
                "Open",
                "Open the page with $BROWSER, which leads to your own computer in an editor's terminal.",
            ),
            Command("listen.back", "escape", "back", "Close", "Close this; the page stays."),
        ),
    ),
    "players": Scope(
        "What plays", (Command("players.back", "escape,p", "back", "Close", "Close this; nothing changes."),)
    ),
    "runs": Scope(
        "Runs",
        (
            Command(
                "runs.continue",
                "n,ctrl+n",
                "proceed",
                "Continue",
                "Continue the chosen run from its newest checkpoint.",
            ),
            Command("runs.view", "enter,v", "open", "View", "Look at the chosen run without continuing it."),
            Command(
                "runs.settings", "e", "change", "Settings", "Continue the chosen run with other settings."
            ),
            Command(
                "runs.go-back",
                "g",
                "go_back",
                "Go back",
                "Continue from an earlier checkpoint of the chosen run.",
            ),
            Command(
                "runs.sounds", "m", "sounds", "Make sounds", "Make sounds with the model of the chosen run."
            ),
            Command("runs.update", "u", "reload", "Update", "Read the list again."),
            Command("runs.back", "escape", "back", "Back", "Back to the choice of a folder."),
        ),
    ),
    "sounds": Scope(
        "Sounds made from a run",
        (
            Command("sounds.make", "n,ctrl+n", "make", "Make", "Make new sounds, as the fields say."),
            Command("sounds.play", "space,right", "play", "Play", "Play the chosen sound; again: stop."),
            Command("sounds.stop", "left", "stop", "Stop", "Stop playing.", False),
            Command(
                "sounds.vary",
                "v",
                "vary",
                "More like this",
                "Variations of the chosen sound, as the fields say.",
            ),
            Command(
                "sounds.journey",
                "j",
                "journey",
                "Journey",
                "From marked sound to marked sound, or a drift among the run's own.",
            ),
            Command("sounds.explore", "x", "explore", "Explore", "Walk through the latent space."),
            Command("sounds.star", "s,asterisk", "star", "Mark", "Mark the chosen sound, or not."),
            Command("sounds.rename", "r", "rename", "Rename", "Give the chosen sound another name.", False),
            Command("sounds.delete", "d,delete", "delete", "Delete", "Delete the chosen sound; asks.", False),
            Command("sounds.cancel", "c", "cancel", "Stop making", "Stop; what is complete stays.", False),
            Command(
                "sounds.copy",
                "y",
                "copy",
                "Copy",
                "Copy the scp line that brings the chosen sound to your own computer.",
                False,
            ),
            *_listening("sounds", in_footer=False),
            Command("sounds.back", "escape", "back", "Back", "Leave; making is stopped first."),
        ),
    ),
    "explore": Scope(
        "Explore",
        (
            Command(
                "explore.other",
                "tab",
                "app.focus_next",
                "Map/sliders",
                "Go from the map to the sliders, and back; the arrow keys move what has the focus.",
            ),
            Command("explore.play", "space,enter", "play", "Play", "Play the sound of this place again."),
            Command("explore.keep", "k", "keep", "Keep", "Write this sound into the run."),
            Command("explore.reset", "0", "reset", "Reset", "Back to the training sound itself."),
            Command("explore.random", "r", "random", "Random", "Go to any training sound."),
            *_listening("explore", in_footer=False),
            Command("explore.back", "escape", "back", "Back", "Back to the list; what was kept is in it."),
        ),
    ),
    "rename": Scope(
        "Another name", (Command("rename.back", "escape", "back", "Back", "Leave the name as it is."),)
    ),
    "app": Scope(
        "Everywhere",
        (
            Command("app.help", "question_mark", "help", "Help", "Show all keys."),
            Command(
                "app.quit", "ctrl+q,q,ctrl+c", "quit", "Quit", "Leave; asks first while a run is training."
            ),
            Command(
                "app.palette",
                "ctrl+p",
                "command_palette",
                "Palette",
                "Find any command by name.",
                False,
                False,
            ),
        ),
    ),
}
