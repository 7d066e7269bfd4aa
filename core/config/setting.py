"""What a setting is: its name, its help, and the values that it accepts."""

import math
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, cast, get_type_hints

from core.errors import SettingError

SettingValue = int | float | bool | str | None
AUTO = "auto"


@dataclass(frozen=True)
class Setting:
    """What one field of `TrainingConfig` accepts, and its description for the user.

    `title` is its name in words; `help` says what it is and what more or less of it does.
    """

    name: str
    group: str
    help: str
    kind: Literal["int", "float", "bool", "choice", "file"]
    default: SettingValue
    title: str = ""
    unit: str = ""
    minimum: float = -math.inf
    maximum: float = math.inf
    multiple_of: int = 1
    choices: tuple[str, ...] = ()
    former: Mapping[str, str] = field(
        default_factory=dict, hash=False
    )  # former values, still accepted, to those of now
    automatic: bool = False  # `None`, written "auto", is allowed: the value follows from the dataset
    fixed: str = ""  # why it cannot change once a run has begun; empty if it can
    redefines_loss: bool = False  # losses before and after a change of it cannot be compared

    @property
    def range(self) -> str:
        """The accepted values, in words: "1 to 4096 or auto"."""
        if self.kind == "bool":
            return "yes or no"
        if self.kind == "choice":
            return " or ".join(self.choices)
        if self.kind == "file":
            return "the path of a file, or empty"
        bounds = f"{format_number(self.minimum)} to {format_number(self.maximum)}"
        if self.multiple_of > 1:
            bounds += f" in steps of {self.multiple_of}"
        return f"{bounds} or {AUTO}" if self.automatic else bounds

    def parse(self, text: str) -> SettingValue:
        """Read a value as the user typed it.  Raises SettingError with the value and the range in it."""
        if self.kind == "file":
            return self.check(text.strip())
        word = text.strip().lower()
        if self.automatic and word == AUTO:
            return None
        if self.kind == "choice":
            return self.check(word)
        if self.kind == "bool":
            if word in {"yes", "true", "on", "1"}:
                return True
            if word in {"no", "false", "off", "0"}:
                return False
            raise SettingError(self.name, f"must be yes or no, not '{text}'.")
        try:
            return self.check(int(word) if self.kind == "int" else float(word))
        except ValueError:
            kind = "a whole number" if self.kind == "int" else "a number"
            raise SettingError(self.name, f"must be {kind} from {self.range}, not '{text}'.") from None

    def check(self, value: SettingValue) -> SettingValue:
        """Return `value` in the field's type if it is acceptable, else raise SettingError."""
        refusal = SettingError(self.name, f"must be {self.range}, not {self.show(value)}.")
        if value is None:
            if not self.automatic:
                raise refusal
            return None
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise refusal
            return value
        if self.kind == "choice":
            value = self.former.get(str(value), value)
            if value not in self.choices:
                raise refusal
            return value
        if self.kind == "file":
            if not isinstance(value, str) or "\0" in value or not _is_encodable(value):
                raise refusal
            return value
        if isinstance(value, bool | str) or not self.minimum <= value <= self.maximum:  # NaN is outside too
            raise refusal
        if self.kind == "int" and (value != int(value) or value % self.multiple_of):
            raise refusal
        return int(value) if self.kind == "int" else float(value)

    def show(self, value: SettingValue) -> str:
        """The value as the user would type it."""
        if value is None:
            return AUTO
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value if isinstance(value, str) else format_number(value)


def setting_field(group: str, default: SettingValue, help: str, **about: Any) -> Any:
    """A field of a dataclass of settings; `about` are further fields of its `Setting`.

    Without a title it is called by its name: "Batch size" for `batch_size`.
    """
    return field(default=default, metadata={"group": group, "help": help, **about})


def describe_settings(config: type[Any]) -> Mapping[str, Setting]:
    """The settings that a dataclass of fields made by `setting_field` has, by name."""
    return _describe_settings(cast(Hashable, config))


@cache
def _describe_settings(config: Any) -> Mapping[str, Setting]:
    hints = get_type_hints(config)
    settings = {}
    for each in fields(config):
        hint = hints[each.name]
        kind: Literal["int", "float", "bool", "choice", "file"]
        if hint is bool:
            kind = "bool"
        elif hint is str:
            kind = "choice" if "choices" in each.metadata else "file"
        else:
            kind = "float" if hint in (float, float | None) else "int"
        default = cast(SettingValue, each.default)
        about = {"title": each.name.replace("_", " ").capitalize(), **each.metadata}
        settings[each.name] = Setting(name=each.name, kind=kind, default=default, **about)
    return MappingProxyType(settings)


def _is_encodable(path: str) -> bool:
    """Whether the file system can name it: a run's description may come from anywhere."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def format_number(value: float) -> str:
    """Shortest plain form: 0.0005, 1e-06, 48000."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)
