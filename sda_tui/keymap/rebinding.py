"""Keys that the user wants: which of them can be had, and what is wrong with the others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from textual.keys import Keys

from core.text import printable
from sda_tui.configuration.reading import Fault, Read, suggest
from sda_tui.keymap import KEYMAP, commands_by_id
from sda_tui.keymap.command import Command
from sda_tui.keymap.shown import CHARACTERS, show_key

MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
NAMES = {each.value for each in Keys if "<" not in each.value and "+" not in each.value} | CHARACTERS.keys()
NAME_OF = {character: name for name, character in CHARACTERS.items()}
# Terminals send the same for these two; the names are those that Textual gives what arrives.
SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape", "ctrl+h": "backspace"}


class Refusal(NamedTuple):
    """A command whose keys stay as they were, and why."""

    id: str
    message: str


def read_keys(read: Read) -> tuple[Mapping[str, Sequence[str]], Sequence[Fault]]:
    """The keys of the configuration file that can be had; and faults, with their lines, for the others."""
    keys, refusals = resolve_keys(read.configuration.keys)
    return keys, [read.fault(("keys", each.id), each.message) for each in refusals]


def resolve_keys(
    wanted: Mapping[str, Sequence[str]],
) -> tuple[Mapping[str, Sequence[str]], Sequence[Refusal]]:
    """The keys that can be had, by command, as Textual writes them; and the refusals."""
    known = commands_by_id()
    keys: dict[str, Sequence[str]] = {}
    refusals = []
    for id, given in wanted.items():
        refused = _refuse(id, given, known)
        if refused:
            refusals.append(Refusal(id, refused))
        else:
            keys[id] = tuple(dict.fromkeys(map(_normalise, given)))
    while clash := next(_clashes(keys), None):
        refusals.append(clash)
        del keys[clash.id]
    return keys, refusals


def as_keymap(keys: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """For `App.set_keymap`."""
    return {id: ",".join(each) for id, each in keys.items()}


def _refuse(id: str, given: Sequence[str], known: Mapping[str, Command]) -> str:
    if id not in known:
        return f"there is no command {printable(id)}{suggest(id, list(known))}. It is ignored."
    for key in given:
        if _normalise(key) in SAME:
            same = SAME[_normalise(key)]
            return f"terminals send the same for {printable(key)} as for {same}. {_keep(known[id])}"
        if not is_key(_normalise(key)):
            near = suggest(key, [each.value for each in Keys if "<" not in each.value])
            return f'"{printable(key)}" is no key{near}. {_keep(known[id])}'
    return ""


def _clashes(keys: Mapping[str, Sequence[str]]) -> Iterator[Refusal]:
    """Commands of one screen that would have the same key, the newest wish first."""
    everywhere = KEYMAP["app"].commands
    for name, scope in KEYMAP.items():
        owners: dict[str, Command] = {}
        for command in (*scope.commands, *(everywhere if name != "app" else ())):
            for key in keys.get(command.id) or command.default_keys:
                other = owners.setdefault(key, command)
                if other.id == command.id:
                    continue
                refused = max((command, other), key=lambda each: _rank(each.id, keys))
                kept = other if refused is command else command
                yield Refusal(
                    refused.id,
                    f"{show_key(key)} is the key of {kept.id} ({kept.label}) too. {_keep(refused)}",
                )


def _rank(id: str, keys: Mapping[str, Sequence[str]]) -> int:
    """The last wish in the file is refused first; a key of the table never."""
    return list(keys).index(id) if id in keys else -1


def _keep(command: Command) -> str:
    shown = " ".join(map(show_key, command.default_keys))
    return f"{command.id} ({command.label}) keeps {shown}."


def is_key(key: str) -> bool:
    """Whether a terminal may send a key of this name."""
    *modifiers, name = _split(key)
    is_modified = set(modifiers) <= MODIFIERS and len(set(modifiers)) == len(modifiers)
    return is_modified and (name in NAMES or (len(name) == 1 and name.isalnum()))


def _normalise(key: str) -> str:
    """As Textual writes it: "?" is question_mark."""
    *modifiers, name = _split(key)
    return "+".join([*sorted(modifiers), NAME_OF.get(name, name)])


def _split(key: str) -> list[str]:
    """Modifiers and name; the name may itself be a plus sign."""
    if key.endswith("+"):
        return [*(each for each in key[:-1].rstrip("+").split("+") if each), "+"]
    return key.split("+")
