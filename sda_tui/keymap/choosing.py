"""Keys while a dataset and its settings are chosen."""

from sda_tui.keymap.command import Command, Scope
from sda_tui.keymap.listening import listening_commands

DATASETS = Scope(
    "Datasets",
    (
        Command(
            "datasets.next", "n,ctrl+n", "proceed", "Next", "Continue to the settings with these sounds."
        ),
        Command("datasets.path", "slash", "focus_path", "Path", "Type the path of a folder; → completes it."),
        Command("datasets.up", "backspace", "tree_up", "Up", "Show the folder above in the tree.", False),
        Command(
            "datasets.demo", "d", "demo", "Demo", "Choose the demo sounds, which the program synthesises."
        ),
        Command("datasets.runs", "r", "runs", "Runs", "See all runs; continue one or look at it."),
        Command(
            "datasets.play", "space", "play", "Play", "Play the chosen file, its first minute; again: stop."
        ),
        Command("datasets.previous", "up", "cursor_up", "Previous", "Choose the file above.", False),
        Command("datasets.next-file", "down", "cursor_down", "Next file", "Choose the file below.", False),
        *listening_commands("datasets", in_footer=False),
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
)

SETTINGS = Scope(
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
        Command("settings.advanced", "a", "advanced", "All settings", "Unfold all settings, or fold them."),
        Command("settings.filter", "slash", "filter", "Filter", "Show the settings that have a word."),
        Command(
            "settings.reset",
            "ctrl+r",
            "reset",
            "Reset",
            "Set the chosen field back to the preset's value; on none of them, all.",
        ),
        Command("settings.back", "escape", "back", "Back", "Back to the choice of a folder."),
    ),
)

CONTINUE = Scope(
    "Continue with other settings",
    (
        Command("continue.start", "ctrl+n", "start", "Continue", "Continue the run with these settings."),
        Command("continue.all", "a", "all", "All settings", "Unfold all settings, or fold them."),
        Command("continue.filter", "slash", "filter", "Filter", "Show the settings that have a word."),
        Command("continue.reset", "ctrl+r", "reset", "Reset", "Set the chosen field back to what it is now."),
        Command("continue.back", "escape", "back", "Back", "Back to the runs; nothing changes."),
    ),
)
