"""Keys where sounds are made."""

from sda_tui.keymap.command import Command, Scope
from sda_tui.keymap.listening import listening_commands

SOUNDS = Scope(
    "Sounds made from a run",
    (
        Command("sounds.make", "n,ctrl+n", "make", "Make", "Make new sounds, as the fields say."),
        Command("sounds.play", "space,right", "play", "Play", "Play the chosen sound; again: stop."),
        Command("sounds.stop", "left", "stop", "Stop", "Stop playing.", False),
        Command(
            "sounds.vary", "v", "vary", "More like this", "Variations of the chosen sound, as the fields say."
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
        *listening_commands("sounds", in_footer=False),
        Command("sounds.back", "escape", "back", "Back", "Leave; making is stopped first."),
    ),
)

EXPLORE = Scope(
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
        *listening_commands("explore", in_footer=False),
        Command("explore.back", "escape", "back", "Back", "Back to the list; what was kept is in it."),
    ),
)

RENAME = Scope(
    "Another name", (Command("rename.back", "escape", "back", "Back", "Leave the name as it is."),)
)
