"""Keys in the list of runs, and where runs are compared."""

from sda_tui.keymap.command import Command, Scope
from sda_tui.keymap.listening import listening_commands

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
        Command(
            "runs.filter",
            "slash",
            "filter",
            "Filter",
            "Show only runs with these words; esc shows all again.",
        ),
        Command("runs.order", "o", "order", "Order", "Sort by the next column, as a click on its head does."),
        Command(
            "runs.mark",
            "space",
            "mark",
            "Mark",
            "Mark the chosen run, to compare or delete several; or click before its name.",
        ),
        Command(
            "runs.compare",
            "x,equals_sign",
            "compare",
            "Compare",
            "Compare the marked runs, else the chosen one with the best other one on the same sounds.",
        ),
        Command(
            "runs.queue",
            "a",
            "queue",
            "Queue",
            "Let the chosen run wait for its turn to be trained, or not any more.",
        ),
        Command("runs.settings", "e", "change", "Settings", "Continue the chosen run with other settings."),
        Command(
            "runs.go-back",
            "g",
            "go_back",
            "Go back",
            "Continue from an earlier checkpoint of the chosen run.",
        ),
        Command("runs.sounds", "m", "sounds", "Make sounds", "Make sounds with the model of the chosen run."),
        Command(
            "runs.duplicate",
            "d",
            "duplicate",
            "Duplicate",
            "Scan the sounds of the chosen run again, for a new run with its settings.",
        ),
        Command(
            "runs.back", "escape", "back", "Back", "Clear the filter; then back to the choice of a folder."
        ),
        Command(
            "runs.star", "s,asterisk", "star", "Star", "Give the chosen run a star, or take it away.", False
        ),
        Command("runs.note", "w", "note", "Note", "Write a note on the chosen run.", False),
        Command("runs.rename", "f2,R", "rename", "Rename", "Give the chosen run another name.", False),
        Command(
            "runs.delete",
            "delete",
            "delete",
            "Delete",
            "Delete the marked runs, else the chosen one; asks.",
            False,
        ),
        Command("runs.reverse", "O", "reverse", "Reverse", "Sort the other way round.", False),
        Command(
            "runs.work",
            "Q",
            "work",
            "Work through",
            "Train the runs in the queue one after another, or begin no more of them.",
            False,
        ),
        Command("runs.update", "u", "reload", "Update", "Read the list again.", False),
    ),
)

COMPARE = Scope(
    "Comparing runs",
    (
        Command(
            "compare.next",
            "right,tab,n",
            "step(1)",
            "Next run",
            "Go to the next run; while a sound plays, its same preview continues where that is.",
        ),
        Command("compare.previous", "left,shift+tab", "step(-1)", "Previous run", "Go to the run before."),
        Command(
            "compare.play", "space,enter", "play", "Play", "Play the preview of the chosen run; again: stop."
        ),
        Command(
            "compare.preview", "down,s", "preview(1)", "Next preview", "Another sound, of all runs alike."
        ),
        Command("compare.former", "up", "preview(-1)", "Preview before", "The sound before.", False),
        Command("compare.curve", "c", "curve", "Loss/RMSE", "Show the curves of the loss, or of the RMSE."),
        Command("compare.axis", "t", "axis", "Epoch/step", "Draw the curves by epoch, or by step."),
        Command("compare.down", "pagedown", "page(1)", "Further down", "Scroll to the settings.", False),
        Command("compare.up", "pageup", "page(-1)", "Further up", "Scroll back to the curves.", False),
        *listening_commands("compare", in_footer=True),
        Command("compare.back", "escape", "back", "Back", "Back to the runs."),
    ),
)
