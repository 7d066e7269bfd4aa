"""The one table of keys: dispatch, footer, help and palette all come from it."""

from collections.abc import Mapping

from sda_tui.keymap.choosing import CONTINUE, DATASETS, SETTINGS
from sda_tui.keymap.command import Command as Command
from sda_tui.keymap.command import Scope as Scope
from sda_tui.keymap.command import show_key as show_key
from sda_tui.keymap.dashboard import DASHBOARD, EXPLAIN
from sda_tui.keymap.everywhere import APP
from sda_tui.keymap.listening import LISTEN, PLAYERS
from sda_tui.keymap.runs import RUNS
from sda_tui.keymap.sounds import EXPLORE, RENAME, SOUNDS

KEYMAP: Mapping[str, Scope] = {
    "datasets": DATASETS,
    "settings": SETTINGS,
    "continue": CONTINUE,
    "dashboard": DASHBOARD,
    "explain": EXPLAIN,
    "listen": LISTEN,
    "players": PLAYERS,
    "runs": RUNS,
    "sounds": SOUNDS,
    "explore": EXPLORE,
    "rename": RENAME,
    "app": APP,
}


def key_of(id: str) -> str:
    """How the first key of a command is written for people: "r", "→", "^p".  Raises KeyError."""
    command = next(each for each in KEYMAP[id.split(".")[0]].commands if each.id == id)
    return show_key(command.keys.split(",")[0])
