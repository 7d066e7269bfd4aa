"""Keys as they are labelled, and those that the user has in place of the table's."""

from collections.abc import Mapping, Sequence

from sda_tui.keymap.command import Command

# As Textual calls the keys of characters.
CHARACTERS = {
    "exclamation_mark": "!",
    "quotation_mark": '"',
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "apostrophe": "'",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "asterisk": "*",
    "plus": "+",
    "comma": ",",
    "minus": "-",
    "full_stop": ".",
    "slash": "/",
    "colon": ":",
    "semicolon": ";",
    "less_than_sign": "<",
    "equals_sign": "=",
    "greater_than_sign": ">",
    "question_mark": "?",
    "at": "@",
    "left_square_bracket": "[",
    "backslash": "\\",
    "right_square_bracket": "]",
    "circumflex_accent": "^",
    "underscore": "_",
    "grave_accent": "`",
    "left_curly_bracket": "{",
    "vertical_line": "|",
    "right_curly_bracket": "}",
    "tilde": "~",
}
KEY_NAMES = {
    **CHARACTERS,
    "escape": "esc",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "pageup": "page up",
    "pagedown": "page down",
}


class UserKeys:
    """The keys of each command that the user has changed, by its id.

    There is one for the process, `USER_KEYS`.  The app fills it as it starts, so that every sentence may name
    the key that works.
    """

    def __init__(self) -> None:
        self._keys: Mapping[str, Sequence[str]] = {}

    def use(self, keys: Mapping[str, Sequence[str]]) -> None:
        """Use these keys, and the table's for all other commands."""
        self._keys = dict(keys)

    def of(self, command: Command) -> Sequence[str]:
        """The keys that work."""
        return self._keys.get(command.id) or command.default_keys


USER_KEYS = UserKeys()


def show_key(key: str) -> str:
    """A key as it is labelled: "^n", "→"."""
    *modifiers, name = key.split("+") if len(key) > 1 else [key]
    shown = KEY_NAMES.get(name, name)
    if "ctrl" in modifiers:
        shown = f"^{shown}"
        modifiers = [each for each in modifiers if each != "ctrl"]
    return "+".join([*modifiers, shown])


def show_keys(command: Command) -> str:
    """The keys of a command as they are labelled: "→ enter space"."""
    return " ".join(map(show_key, USER_KEYS.of(command)))


def first_key(command: Command) -> str:
    """The key that is named where there is room for one."""
    return show_key(USER_KEYS.of(command)[0])
