"""The configuration as a file that can be kept: every field with its sentence, and its value."""

import json
from collections.abc import Mapping, Sequence

from sda_tui.configuration.fields import Configuration, Field, Value, declared_fields, declared_tables


def write_toml(configuration: Configuration, commands: Mapping[str, Sequence[str]]) -> str:
    """All fields as TOML.  Those at their default are comments: a later default then holds.

    `commands` are the ids of all commands with the keys that they have by default.
    """
    lines: list[str] = []
    by_table: dict[str, list[Field]] = {}
    for each in declared_fields().values():
        by_table.setdefault(each.table, []).append(each)
    for table, declared in by_table.items():
        if table:
            lines += [f"[{table}]  # {declared_tables()[table]}", ""]
        for each in declared:
            lines += _field_lines(each, configuration.get(each.path))
    lines += [f"[keys]  # {declared_tables()['keys']}", ""]
    for id, keys in {**commands, **configuration.keys}.items():
        is_default = id not in configuration.keys
        lines.append(f"{'# ' if is_default else ''}{_quote(id)} = {_show_keys(keys)}")
    return "\n".join(lines) + "\n"


def as_dict(configuration: Configuration) -> list[dict[str, object]]:
    """Every field with what is known of it, for JSON."""
    return [
        {
            "name": each.path,
            "value": configuration.get(each.path),
            "default": each.default,
            "choices": each.choices,
            "help": each.help,
        }
        for each in declared_fields().values()
    ]


def _field_lines(field: Field, value: Value) -> list[str]:
    lines = [f"# {field.help}"]
    if field.choices:
        lines.append(f"# One of {field.allowed}.")
    elif type(field.default) is int:
        lines.append(f"# From {field.minimum} to {field.maximum}.")
    if value == field.default:
        return [*lines, f"# {field.name} = {_show(value)}", ""]
    return [*lines, f"# Default: {_show(field.default)}", f"{field.name} = {_show(value)}", ""]


def _show_keys(keys: Sequence[str]) -> str:
    return _quote(keys[0]) if len(keys) == 1 else _show(tuple(keys))


def _show(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quote, value))}]"
    return _quote(value) if isinstance(value, str) else str(value)


def _quote(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's too, but for DEL, which TOML has escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
