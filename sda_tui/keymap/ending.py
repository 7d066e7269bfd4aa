"""Keys of what is done with a run that has ended."""

from sda_tui.keymap.command import Command, Scope

RESUME = Scope(
    "Continue a run",
    (
        Command("resume.start", "n,ctrl+n", "start", "Continue", "Continue the run, as the fields say."),
        Command("resume.back", "escape", "back", "Stay", "Leave the run as it is."),
    ),
)

EXPORT = Scope(
    "Export a model",
    (
        Command("export.start", "n,ctrl+n", "start", "Export", "Write what is marked."),
        Command("export.mark", "space", "mark", "Mark", "Mark the chosen line, or not; so does ⏎."),
        Command("export.stop", "c", "stop", "Stop", "Stop; files that are complete stay."),
        Command(
            "export.copy",
            "y",
            "copy",
            "Copy",
            "Copy the scp line that brings the written files to your own computer.",
        ),
        Command("export.folder", "F", "folder", "Folder", "Open the folder, or copy its path."),
        Command("export.back", "escape", "back", "Back", "Leave; what is being written is stopped first."),
    ),
)


def ending_commands(scope: str) -> tuple[Command, ...]:
    """What a screen offers for the run that it shows, or that is chosen on it."""
    return (
        Command(
            f"{scope}.resume",
            "r",
            "resume",
            "Continue",
            "Continue the run here, from where it stopped, or train a finished one for longer.",
        ),
        Command(
            f"{scope}.export", "E", "export", "Export", "Write the model as files that other programs load."
        ),
        Command(
            f"{scope}.folder", "F", "folder", "Folder", "Open the folder of the run, or copy its path.", False
        ),
    )
