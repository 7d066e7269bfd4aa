"""What the shell offers for the next word of a command line (argcomplete).

The shell starts the program for it at each press of Tab: nothing slow is imported here.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from argcomplete.completers import BaseCompleter, DirectoriesCompleter, FilesCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.shell_integration import shellcode

from core.config import (
    EXPORT_KINDS,
    KINDS,
    METRIC_FORMATS,
    PRESETS,
    SETTINGS,
    MakingSettings,
    OutputSettings,
    Setting,
    SettingValue,
    describe_settings,
)
from core.paths import RUN_FILE, default_root, expand
from sda_tui.advice import command

HIDDEN = "open"  # the command that a line without one means
DEVICES = ("cpu", "cuda", "cuda:0", "mps")
CHECKPOINTS = ("best", "newest", "saved")
Offered = Sequence[str] | Mapping[str, str]  # words, perhaps each with its description


class Words(BaseCompleter):
    """Offers what a function finds for what was typed, or files where nothing fits and `or_file` is true."""

    def __init__(self, find: Callable[[str, argparse.Namespace], Offered], or_file: bool = False) -> None:
        self._find = find
        self._or_file = or_file

    def __call__(
        self,
        *,
        prefix: str,
        action: argparse.Action,
        parser: argparse.ArgumentParser,
        parsed_args: argparse.Namespace,
    ) -> Offered:
        found = self._find(prefix, parsed_args)
        if self._or_file and not any(word.startswith(prefix) for word in found):
            return list(FilesCompleter()(prefix))
        return found


class Finder(CompletionFinder):
    """Offers files and folders beside the commands: the app opens them."""

    def collect_completions(
        self,
        active_parsers: list[argparse.ArgumentParser],
        parsed_args: argparse.Namespace,
        cword_prefix: str,
    ) -> list[str]:
        found = super().collect_completions(active_parsers, parsed_args, cword_prefix)
        if len(active_parsers) == 1 and not cword_prefix.startswith("-"):
            found += FilesCompleter()(cword_prefix)
        return found


def complete(parser: argparse.ArgumentParser, commands: set[str]) -> None:
    """Answer the shell that asks for completions, and exit."""
    line, point = os.environ.get("COMP_LINE", ""), int(os.environ.get("COMP_POINT", "0"))
    os.environ["COMP_LINE"], at = with_command(line, point, commands)
    os.environ["COMP_POINT"] = str(at)
    _attach(parser)
    Finder()(parser, always_complete_options=False, exclude=[HIDDEN], default_completer=Words(lambda *_: ()))


def with_command(line: str, point: int, commands: set[str]) -> tuple[str, int]:
    """A line of which the word at `point` is completed, with the command written that it leaves out."""
    before = line[:point]
    first, *others = before.split() or [""]
    is_complete = len(others) > 1 or (bool(others) and before.endswith(" "))
    if not is_complete or others[0] in commands or others[0] in ("-h", "--help", "--version"):
        return line, point
    place = line.index(first) + len(first)
    return f"{line[:place]} {HIDDEN}{line[place:]}", point + len(HIDDEN) + 1


def shell_script(shell: str) -> str:
    """What a shell evaluates to complete the command lines of this program."""
    this = command("completion", shell).strip("`")
    if shell == "fish":
        how = f"{this} | source    # in ~/.config/fish/config.fish"
    else:
        how = f'eval "$({this})"    # in ~/.{shell}rc'
    return f"# {how}\n{shellcode(['sda-tui'], shell=shell)}\n"


def _attach(parser: argparse.ArgumentParser) -> None:
    """Give each argument of a parser, and of its commands, what offers values for it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _attach(command)
        elif (completer := _completer(action)) is not None:
            action.completer = completer  # type: ignore[attr-defined]


def _completer(action: argparse.Action) -> BaseCompleter | None:
    kinds: list[type[MakingSettings]] = [OutputSettings, *KINDS.values()]
    made = map(describe_settings, kinds)
    by_name: dict[str, Sequence[str]] = {name: each.choices for one in made for name, each in one.items()}
    by_name |= {
        "preset": tuple(PRESETS),
        "device": DEVICES,
        "checkpoint": CHECKPOINTS,
        "to": EXPORT_KINDS,
        "metrics": METRIC_FORMATS,
        "inversion": ("fast", "best"),
    }
    match action.metavar:
        case "RUN":
            return Words(_runs, or_file=True)
        case "DIR":
            return DirectoriesCompleter()
        case "FOLDER" | "PATH" | "FILE" | "SOUND":
            return FilesCompleter()
        case "KEY=VALUE":
            return Words(_assignments)
    if words := by_name.get(action.dest):
        return Words(lambda *_: words, or_file=action.dest == "checkpoint")
    return None


def _runs(_: str, parsed: argparse.Namespace) -> list[str]:
    """The names of the runs in the folder that the line names, or in the default one."""
    root = expand(getattr(parsed, "runs", None) or default_root())
    return sorted(_names_of_runs(root))


def _names_of_runs(root: Path) -> Iterator[str]:
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                if os.path.lexists(os.path.join(entry.path, RUN_FILE)):  # noqa: PTH118  (of thousands)
                    yield entry.name
    except OSError:
        return


def _assignments(prefix: str, _: argparse.Namespace) -> Offered:
    """`--set`: the names of settings, and after the sign what they may be."""
    name, sign, _value = prefix.partition("=")
    if not sign:
        return {f"{each.name}=": each.help for each in SETTINGS.values()}
    if name not in SETTINGS:
        return ()
    return [f"{name}={value}" for value in _values(SETTINGS[name])]


def _values(setting: Setting) -> list[str]:
    values: list[SettingValue] = [*setting.choices]
    if setting.kind == "bool":
        return ["yes", "no"]
    if setting.kind not in ("choice", "file"):
        values = [*([None] if setting.automatic else []), setting.default]
    return list(dict.fromkeys(map(setting.show, values)))
