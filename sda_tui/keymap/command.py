"""What a key does, and the commands of a screen."""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Command:
    """Something that a key does.

    `id` names it in a user's own key map, so it stays the same when the key, the action or the label changes.
    `keys` as Textual writes them.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    in_footer: bool = True
    in_palette: bool = True

    @property
    def default_keys(self) -> tuple[str, ...]:
        return tuple(self.keys.split(","))


@dataclass(frozen=True)
class Scope:
    """The commands of one screen, or of all."""

    title: str
    commands: tuple[Command, ...]

    def bindings(self) -> list[BindingType]:
        return [
            Binding(
                command.keys,
                command.action,
                command.label,
                show=command.in_footer,
                tooltip=command.help,
                id=command.id,
            )
            for command in self.commands
        ]
