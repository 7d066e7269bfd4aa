"""Reading the configuration file.  Whatever is wrong in it, the program starts, and says so."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.text import one_line, printable
from sda_tui.configuration.fields import Configuration, Field, declared_fields, declared_tables
from sda_tui.configuration.location import CONFIG_VARIABLE, configuration_path

LARGEST_BYTES = 1 << 17


@dataclass(frozen=True)
class Fault:
    """Something in the file that is not used; `line` is where, if that is known."""

    file: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f" line {self.line}" if self.line else ""
        return one_line(f"{self.file}{where}: {self.message}")


@dataclass(frozen=True)
class Read:
    """What was read from `path`: None for a user without a home.  `text` is empty if there is no file."""

    configuration: Configuration = field(default_factory=Configuration)
    path: Path | None = None
    exists: bool = False
    text: str = ""
    faults: tuple[Fault, ...] = ()

    def fault(self, path: Sequence[str], message: str) -> Fault:
        """A fault of the value at `path`.  That of a key may be written with the dots of the id bare."""
        from sda_tui.configuration.lines import find_line

        line = find_line(self.text, path) or find_line(self.text, ".".join(path).split("."))
        return Fault(_name(self.path), message, line)


def read_configuration(path: Path | None = None) -> Read:
    """The configuration in this file, or the user's.  Never raises: what is faulty has its default."""
    path = path or configuration_path()
    if path is None:
        return Read()
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return Read(path=path, faults=_missing(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Read(path=path, exists=True, faults=(_unread(path, f"it cannot be read ({reason})"),))
    return _read(path, data)


def _missing(path: Path) -> tuple[Fault, ...]:
    if CONFIG_VARIABLE not in os.environ:
        return ()
    return (
        Fault(_name(path), f"there is no such file, but ${CONFIG_VARIABLE} names it. Defaults are used."),
    )


def _read(path: Path, data: bytes) -> Read:
    import tomllib  # takes longer than all else here, and most users have no such file

    read = Read(path=path, exists=True)
    if len(data) > LARGEST_BYTES:
        fault = _unread(path, f"it is longer than {LARGEST_BYTES // 1024} kB")
        return replace(read, faults=(fault,))
    try:
        text = data.decode("utf-8-sig")
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return replace(read, faults=(_unread(path, "it is not UTF-8 text", line),))
    except tomllib.TOMLDecodeError as error:
        return replace(read, faults=(_syntax_fault(path, error),))
    except RecursionError:
        return replace(read, faults=(_unread(path, "it is nested too deeply"),))
    read = replace(read, text=text)
    values: dict[str, Any] = {}
    faults = tuple(read.fault(at, message) for at, message in _take(found, values))
    return replace(read, configuration=_build(values), faults=faults)


def _syntax_fault(path: Path, error: Exception) -> Fault:
    """From a message like "Invalid value (at line 3, column 8)"."""
    what, _, where = str(error).rpartition(" (at ")
    words = where.rstrip(")").replace(",", "").split()
    line = int(words[1]) if len(words) > 1 and words[0] == "line" else None
    reason = (what or str(error)).strip()
    return _unread(path, f"no valid TOML: {reason[:1].lower()}{reason[1:]}", line)


def _unread(path: Path, why: str, line: int | None = None) -> Fault:
    return Fault(_name(path), f"{why}. Nothing in the file is used until that is mended.", line)


def _name(path: Path | None) -> str:
    return printable(path.name) if path else ""


def _take(found: Mapping[str, Any], values: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Put what is right into `values`, by path; yield where something is wrong, and what."""
    known, tables = declared_fields(), declared_tables()
    for name, value in found.items():
        if name == "keys":
            yield from _take_keys(value, values)
        elif name in tables:
            if not isinstance(value, dict):
                yield (name,), f"{name} is a table; write [{name}] above its fields. It is ignored."
                continue
            for inner, inner_value in value.items():
                yield from _take_value((name, inner), inner_value, known, values)
        else:
            yield from _take_value((name,), value, known, values)


def _take_value(
    path: tuple[str, ...], value: object, known: Mapping[str, Field], values: dict[str, Any]
) -> Iterator[tuple[tuple[str, ...], str]]:
    name = ".".join(path)
    declared = known.get(name)
    if declared is None:
        what = "table" if isinstance(value, dict) else "field"
        near = suggest(name, [*known, *declared_tables()])
        yield path, f"there is no {what} {printable(name)}{near}. It is ignored."
    elif declared.accepts(value):
        values[name] = tuple(value) if isinstance(value, list) else value
    else:
        near = suggest(value, declared.choices) if isinstance(value, str) else ""
        yield (
            path,
            f"{name} = {show_value(value)} cannot be used: it is {declared.allowed}{near}. "
            f"{show_value(declared.default)} is used.",
        )


def _take_keys(found: object, values: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(found, dict):
        yield ("keys",), "keys is a table; write [keys] above the keys. It is ignored."
        return
    keys = values["keys"] = {}
    for id, value in _flatten(found):
        wanted = value.split(",") if isinstance(value, str) else value
        if (
            isinstance(wanted, list)
            and wanted
            and all(isinstance(key, str) and key.strip() for key in wanted)
        ):
            keys[id] = tuple(key.strip() for key in wanted)
        else:
            message = f"the key of {printable(id)} is a text or a list of texts, not {show_value(value)}."
            yield ("keys", id), f"{message} Its keys stay as they were."


def _flatten(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Ids and values: `dashboard.save = "f5"` without quotation marks is a table in a table."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _build(values: Mapping[str, Any]) -> Configuration:
    whole: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        table, _, name = path.rpartition(".")
        (inner.setdefault(table, {}) if table else whole)[name] = value
    default = Configuration()
    sections = {table: replace(getattr(default, table), **each) for table, each in inner.items()}
    return replace(default, **whole, **sections)


def suggest(word: str, known: Sequence[str]) -> str:
    """ " (did you mean dark?)" if something is like it, else nothing."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def show_value(value: object) -> str:
    """A value about as it is written in the file, in a message."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{printable(value[:60])}"'
        case list() | tuple():
            return f"[{', '.join(show_value(each) for each in value[:5])}]"
        case dict():
            return "a table"
    return printable(str(value)[:60])
