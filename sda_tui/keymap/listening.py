"""Keys of what decides where sounds play."""

from sda_tui.keymap.command import Command, Scope

LISTEN = Scope(
    "Listening on your own computer",
    (
        Command("listen.tunnel", "y", "copy_tunnel", "Copy line 1", "Copy the ssh line again."),
        Command("listen.address", "u", "copy_address", "Copy address", "Copy the address of the page."),
        Command(
            "listen.edit", "e", "edit", "Edit host", "Change how ssh there calls this machine; it is kept."
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
)

PLAYERS = Scope(
    "What plays", (Command("players.back", "escape,p", "back", "Close", "Close this; nothing changes."),)
)


def listening_commands(scope: str, in_footer: bool) -> tuple[Command, Command]:
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
