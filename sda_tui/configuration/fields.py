"""Every field of the configuration file, declared once: name, type, default, and a sentence for the user.

Reading, checking, `sda-tui config` and its JSON all come from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, cast

AUTO = "auto"
THEMES = ("dark", "light", "high-contrast", "colour-blind", "16-colours")  # of `sda_tui.themes`
PRESETS = ("conservative", "balanced", "aggressive")  # of `core.config`, which takes long to import

Value = str | int | bool | tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field as the file has it: `table` is empty at its top."""

    table: str
    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 0

    @property
    def path(self) -> str:
        """Its name with that of its table: "charts.smoothing"."""
        return f"{self.table}.{self.name}" if self.table else self.name

    @property
    def allowed(self) -> str:
        """The accepted values, in words."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, int):
            return f"a whole number from {self.minimum} to {self.maximum}"
        if isinstance(self.default, tuple):
            return "a list of texts"
        if not self.choices:
            return "a text"
        quoted = [f'"{choice}"' for choice in self.choices]
        return f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def accepts(self, value: object) -> bool:
        if isinstance(self.default, bool):
            return isinstance(value, bool)
        if isinstance(self.default, int):
            return type(value) is int and self.minimum <= value <= self.maximum
        if isinstance(self.default, tuple):
            return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        return isinstance(value, str) and "\0" not in value and (not self.choices or value in self.choices)


def declared(default: Value, help: str, **about: Any) -> Any:
    """A field with its sentence; `about` are further fields of its `Field`."""
    return field(default=default, metadata={"help": help, **about})


@dataclass(frozen=True)
class Charts:
    """The dashboard's curves."""

    smoothing: int = declared(
        3,
        "Smoothing of the curves at the start, from 0, every step as it is; 3 where it was not changed.",
        minimum=0,
        maximum=6,
    )
    panels: tuple[str, ...] = declared(
        (),
        "Charts shown at the start, in their order: epochs, loss, reconstruction, kl, kl-dimensions, "
        "learning-rate, gradient, detail, speed, device; an empty list: as last time.",
    )


@dataclass(frozen=True)
class Listening:
    """Sounds heard on another machine."""

    port: int = declared(
        0, "Port of the listener page; 0: the same as last time, or any free one.", minimum=0, maximum=65_535
    )


@dataclass(frozen=True)
class WhenDone:
    """What happens when a run has finished, failed or stopped."""

    bell: bool = declared(False, "Ring the terminal's bell when a run ends.")
    terminal: bool = declared(False, "Have the terminal show a message when a run ends (OSC 9 and OSC 777).")
    command: str = declared(
        "",
        "A command of yours for when a run ends; $SDA_RUN, $SDA_STATE and $SDA_MESSAGE tell which and how.",
    )


@dataclass(frozen=True)
class Configuration:
    """What the user wrote into the configuration file, checked; defaults for all else."""

    theme: str = declared(
        AUTO,
        "Colours of the app; auto: those chosen last in the app, where ^t changes them.",
        choices=(AUTO, *THEMES),
    )
    colours: str = declared(
        AUTO,
        "How many colours the terminal shows; auto: what $TERM and $COLORTERM say ($NO_COLOR: none).",
        choices=(AUTO, "none", "16", "256", "all"),
    )
    mouse: bool = declared(True, "Use the mouse; false leaves it to the terminal, to select text with.")
    runs: str = declared("", "Folder of all runs, where neither --runs nor $SDA_RUNS says; empty: ./runs.")
    device: str = declared("", 'Device to train on, "cuda:1" for example; empty: the best there is.')
    preset: str = declared(
        AUTO, "Preset of new runs; auto: the one that fits the sounds.", choices=(AUTO, *PRESETS)
    )
    charts: Charts = Charts()
    listening: Listening = Listening()
    when_done: WhenDone = WhenDone()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by the id of a command

    def get(self, path: str) -> Value:
        """The value of a field, by its path."""
        value: Any = self
        for name in path.split("."):
            value = getattr(value, name)
        assert isinstance(value, str | int | tuple)
        return value


def declared_fields() -> Mapping[str, Field]:
    """Every field but the keys, by its path, those without a table first."""
    return {each.path: each for each in _fields_of(Configuration(), "")}


def declared_tables() -> Mapping[str, str]:
    """Tables, and what each is for."""
    tables = {
        each.name: type(table).__doc__ or ""
        for each in fields(Configuration)
        if is_dataclass(table := each.default)
    }
    return {**tables, "keys": 'Your own keys: "dashboard.save" = "f5", or a list of several.'}


def _fields_of(section: Any, table: str) -> Iterator[Field]:
    for each in fields(section):
        if is_dataclass(each.default):
            yield from _fields_of(each.default, each.name)
        elif each.metadata:
            yield Field(table, each.name, cast(Value, each.default), **each.metadata)
