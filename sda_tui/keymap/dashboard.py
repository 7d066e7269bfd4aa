"""Keys on the dashboard."""

from sda_tui.keymap.command import Command, Scope
from sda_tui.keymap.listening import listening_commands

DASHBOARD = Scope(
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
            "Play the original after the reconstruction, the training sound after the sample, and back.",
        ),
        Command(
            "dashboard.older",
            "b",
            "earlier",
            "Older",
            "Play the same preview of the epoch before; again: further back.",
        ),
        Command(
            "dashboard.evolve",
            "e",
            "evolve",
            "Evolve",
            "Play the chosen preview of all epochs, one after the other; any key stops.",
        ),
        Command("dashboard.star", "asterisk", "star", "Star", "Star the chosen preview, or not.", False),
        Command(
            "dashboard.filter",
            "f",
            "filter",
            "Filter",
            "List all previews, those of the clip, the new sounds, or the starred ones.",
            False,
        ),
        Command("dashboard.epoch", "j", "epoch", "Jump", "Go to the previews nearest to an epoch.", False),
        Command("dashboard.best", "B", "best", "Best", "Go to the previews of the best epoch.", False),
        *listening_commands("dashboard", in_footer=True),
        Command(
            "dashboard.copy",
            "y",
            "copy",
            "Copy",
            "Copy the scp line that brings the chosen preview to your own computer.",
            False,
        ),
        Command("dashboard.order", "o", "order", "Order", "Show the newest previews first, or last.", False),
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
)
