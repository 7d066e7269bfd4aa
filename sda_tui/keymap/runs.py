"""Keys in the list of runs."""

from sda_tui.keymap.command import Command, Scope

RUNS = Scope(
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
        Command("runs.settings", "e", "change", "Settings", "Continue the chosen run with other settings."),
        Command(
            "runs.go-back",
            "g",
            "go_back",
            "Go back",
            "Continue from an earlier checkpoint of the chosen run.",
        ),
        Command("runs.sounds", "m", "sounds", "Make sounds", "Make sounds with the model of the chosen run."),
        Command("runs.update", "u", "reload", "Update", "Read the list again."),
        Command("runs.back", "escape", "back", "Back", "Back to the choice of a folder."),
    ),
)
