"""What to type when something is wrong: commands and options that the engine's errors know nothing of."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import (
    FileTakenError,
    NameTakenError,
    NoLiveRunError,
    NoUsableSoundsError,
    RunFinishedError,
    RunNotFoundError,
    RunsFolderError,
    RunStoppedError,
    SdaError,
    SoundsNotFoundError,
)
from core.paths import ROOT_VARIABLE
from core.text import printable

if TYPE_CHECKING:
    from core.events import Warned
    from core.runs import RunDirectory, RunManifest


def explain(error: SdaError) -> str:
    """The error's message, and what to type then."""
    return " ".join(filter(None, (str(error), _advice(error))))


def explain_warning(warning: "Warned", run: "RunDirectory", manifest: "RunManifest") -> str:
    """A warning's message, and what to type then."""
    from core.events import WarningKind  # not at the top: the first paint does not wait for it

    if warning.kind is not WarningKind.NEW_SOUNDS:
        return warning.message
    every = command("train", *manifest.source_paths, "--from", run.path)
    return f"{warning.message} {every} trains on all, from this model."


def command(*words: str | Path) -> str:
    """A complete command, between backquotes: paths are absolute, and words quoted for the shell."""
    given = [os.path.abspath(os.path.expanduser(word)) if isinstance(word, Path) else word for word in words]  # noqa: PTH100, PTH111
    return f"`{' '.join(map(_quote, ['sda-tui', *given]))}`"


def _quote(word: str) -> str:
    """Quote for bash, zsh and ksh.  What a terminal must not get is written as the escapes of its bytes."""
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_escape, word)) + "'"


def _escape(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if printable(letter) == letter:
        return letter
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))


def _advice(error: SdaError) -> str:
    match error:
        case NoUsableSoundsError():
            return f"{command('scan', *error.sources)} shows the reason for each file."
        case SoundsNotFoundError():
            return (
                f"If they are elsewhere now, add --folder and their path to {command('resume', error.path)}."
            )
        case FileTakenError():
            return "Choose another place with --out, or add --overwrite."
        case NameTakenError():
            return f"Choose another with --name, or continue that run with {command('resume', error.path)}."
        case RunNotFoundError() | NoLiveRunError():
            return f"{command('runs', '--runs', error.root)} lists the runs."
        case RunFinishedError():
            longer = f"epochs={2 * error.epochs}"
            return f"To continue it, give it more: {command('resume', error.path, '--set', longer)}."
        case RunStoppedError():
            more = command("resume", error.path, "--set", f"early_stopping={2 * error.patience}")
            return f"To continue it, give it longer: {more}; early_stopping=0 trains to its last epoch."
        case RunsFolderError():
            return f"Choose another place with --runs or ${ROOT_VARIABLE}."
    return ""
