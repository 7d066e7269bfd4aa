"""The one table of keys: dispatch, footer, help and palette all come from it."""

from collections.abc import Mapping

from sda_tui.keymap.choosing import CONTINUE, DATASETS, SETTINGS
from sda_tui.keymap.command import Command as Command
from sda_tui.keymap.command import Scope as Scope
from sda_tui.keymap.dashboard import CHARTS, CHOOSE_CHARTS, DASHBOARD, EXPLAIN
from sda_tui.keymap.ending import EXPORT, RESUME
from sda_tui.keymap.everywhere import APP
from sda_tui.keymap.listening import LISTEN, PLAYERS
from sda_tui.keymap.runs import COMPARE, RUNS
from sda_tui.keymap.shown import USER_KEYS as USER_KEYS
from sda_tui.keymap.shown import first_key as first_key
from sda_tui.keymap.shown import show_key as show_key
from sda_tui.keymap.shown import show_keys as show_keys
from sda_tui.keymap.sounds import EXPLORE, RENAME, SOUNDS

KEYMAP: Mapping[str, Scope] = {
    "datasets": DATASETS,
    "settings": SETTINGS,
    "continue": CONTINUE,
    "dashboard": DASHBOARD,
    "charts": CHARTS,
    "choose-charts": CHOOSE_CHARTS,
    "explain": EXPLAIN,
    "listen": LISTEN,
    "players": PLAYERS,
    "runs": RUNS,
    "compare": COMPARE,
    "sounds": SOUNDS,
    "explore": EXPLORE,
    "rename": RENAME,
    "resume": RESUME,
    "export": EXPORT,
    "app": APP,
}


def commands_by_id() -> Mapping[str, Command]:
    """Every command of every screen."""
    return {command.id: command for scope in KEYMAP.values() for command in scope.commands}


def key_of(id: str) -> str:
    """The key of a command as it is labelled, the user's own if there is one, for a sentence."""
    return first_key(commands_by_id()[id])
