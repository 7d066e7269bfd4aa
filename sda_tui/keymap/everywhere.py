"""Keys on every screen."""

from sda_tui.keymap.command import Command, Scope

APP = Scope(
    "Everywhere",
    (
        Command("app.help", "question_mark", "app.help", "Help", "Show all keys."),
        Command(
            "app.quit", "ctrl+q,q,ctrl+c", "app.quit", "Quit", "Leave; asks first while a run is training."
        ),
        Command(
            "app.theme",
            "ctrl+t",
            "app.next_theme",
            "Theme",
            "Use the next colours: dark, light and more.",
            False,
        ),
        Command(
            "app.palette",
            "ctrl+p",
            "app.command_palette",
            "Palette",
            "Find any command by name.",
            False,
            False,
        ),
    ),
)
