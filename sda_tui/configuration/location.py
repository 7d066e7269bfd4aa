"""Where the user's files are: the configuration, and what the app remembers."""

import os
from pathlib import Path

CONFIG_VARIABLE = "SDA_CONFIG"  # another configuration file
CONFIG_FILE = "config.toml"
PROGRAM = "sda-tui"


def configuration_path() -> Path | None:
    """The configuration file: `$SDA_CONFIG`, else the usual place; None for a user without a home."""
    if given := os.environ.get(CONFIG_VARIABLE):
        return Path(os.path.expanduser(given))  # noqa: PTH111  (that of Path may raise)
    folder = user_folder()
    return folder / CONFIG_FILE if folder else None


def user_folder() -> Path | None:
    """The folder of the user's configuration, by the XDG rules on Linux; None for a user without a home."""
    if os.uname().sysname == "Linux":  # as platformdirs does it, without the time that importing it takes
        given = os.environ.get("XDG_CONFIG_HOME", "").strip()
        folder = Path(os.path.expanduser(given or "~/.config"))  # noqa: PTH111
        return folder / PROGRAM if folder.is_absolute() else None
    import platformdirs

    try:
        return platformdirs.user_config_path(PROGRAM)
    except (RuntimeError, OSError):
        return None
