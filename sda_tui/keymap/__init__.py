"""The one table of keys: dispatch, footer, help and palette all come from it."""

from collections.abc import Mapping

from sda_tui.keymap.choosing import CONTINUE, DATASETS, SETTINGS
from sda_tui.keymap.command import Command as Command
from sda_tui.keymap.command import Scope as Scope
from sda_tui.keymap.dashboard import DASHBOARD
from sda_tui.keymap.everywhere import APP
from sda_tui.keymap.listening import LISTEN, PLAYERS
from sda_tui.keymap.runs import COMPARE, RUNS
from sda_tui.keymap.sounds import EXPLORE, RENAME, SOUNDS

KEYMAP: Mapping[str, Scope] = {
    "datasets": DATASETS,
    "settings": SETTINGS,
    "continue": CONTINUE,
    "dashboard": DASHBOARD,
    "listen": LISTEN,
    "players": PLAYERS,
    "runs": RUNS,
    "compare": COMPARE,
    "sounds": SOUNDS,
    "explore": EXPLORE,
    "rename": RENAME,
    "app": APP,
}
