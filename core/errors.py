"""Errors whose messages are shown to the user: what is wrong, with which file or value, what to do.

Messages name no command: front ends add what to type, from the values that the errors carry.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from core.text import one_line, printable


class SdaError(Exception):
    """Base of all errors that are shown to the user as they are, without a traceback.

    Names and values in the message may come from elsewhere: as text it is safe for a terminal.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class ConfigError(SdaError):
    """A setting, preset or device name that cannot be used."""


class SettingError(ConfigError):
    """A value that a setting does not accept; `requirement` is what comes after its name."""

    def __init__(self, setting: str, requirement: str) -> None:
        super().__init__(f"{setting} {requirement}")
        self.setting = setting
        self.requirement = one_line(requirement)


class AudioFileError(SdaError):
    """A sound file that cannot be read; the message does not repeat its path."""


class UnsupportedFormatError(AudioFileError):
    """A file that is no sound in any format that can be decoded here."""


class DecodingError(SdaError):
    """No sound can be decoded on this machine now, whatever file it is in."""


class DatasetError(SdaError):
    """A folder of sounds that cannot be scanned or trained on."""


class NoUsableSoundsError(DatasetError):
    """Files and folders without a usable sound; `verdicts` holds the number of files of each."""

    def __init__(self, sources: Sequence[Path], verdicts: Mapping[str, int]) -> None:
        reasons = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        where = printable(str(sources[0])) if len(sources) == 1 else "the chosen files and folders"
        super().__init__(f"Nothing in {where} can be used ({reasons}); choose a folder with sounds in it.")
        self.sources = tuple(sources)


class SoundsNotFoundError(DatasetError):
    """None of the sounds that the run in `path` trains on is where it looks for them."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


class RunError(SdaError):
    """A run directory that cannot be made, read or continued."""


class RunsFolderError(RunError):
    """A folder of runs in which no run can be created."""


class RunNotFoundError(RunError):
    """No run of this name below `root`, nor at this path."""

    def __init__(self, name: str, root: Path) -> None:
        super().__init__(f"There is no run '{printable(name)}' in {printable(str(root))}.")
        self.root = root


class NoLiveRunError(RunError):
    """No run below `root` is being trained."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"No run in {printable(str(root))} is being trained.")
        self.root = root


class RunNameError(RunError):
    """A name that a new run cannot have."""


class NameTakenError(RunNameError):
    """A name for a new run that one in `path` has already."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"There is a run '{printable(path.name)}' in {printable(str(path.parent))} already.")
        self.path = path


class RunFinishedError(RunError):
    """A run in `path` whose `epochs` are all done."""

    def __init__(self, path: Path, epochs: int) -> None:
        done = "only epoch" if epochs == 1 else f"{epochs} epochs"
        super().__init__(f"{printable(path.name)} has finished its {done}.")
        self.path = path
        self.epochs = epochs


class RunStoppedError(RunError):
    """A run in `path` that ended before its last epoch, by its setting `early_stopping`, and would again."""

    def __init__(self, path: Path, epoch: int, best_epoch: int, patience: int) -> None:
        super().__init__(
            f"{printable(path.name)} stopped at epoch {epoch}, as early_stopping is {patience} and no epoch "
            f"since {best_epoch} was better."
        )
        self.path = path
        self.patience = patience


class QueueError(RunError):
    """A queue of runs that cannot be read, changed or worked through."""


class CheckpointError(SdaError):
    """A checkpoint that is damaged, foreign or does not fit the run."""


class CheckpointNotFoundError(CheckpointError):
    """No checkpoint in `folder` is meant by `which`; `there` are the words and steps that would be."""

    def __init__(self, which: str, folder: Path, there: Sequence[str]) -> None:
        choices = f"there are {', '.join(there)}" if there else "there is none"
        super().__init__(
            f"There is no checkpoint '{printable(which)}' in {printable(str(folder))}; {choices}."
        )


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose bytes are not those that were written."""


class SourceError(SdaError):
    """A sound that the user named and that cannot be used."""

    @classmethod
    def of_file(cls, path: Path, reason: str) -> Self:
        """One that says why a file cannot be used."""
        why = reason if os.path.lexists(path) else "there is no such file"
        return cls(f"{printable(str(path))} cannot be used: {why}.")


class OutputError(SdaError):
    """Something that cannot be written where it should go."""


class FileTakenError(OutputError):
    """A file in `path` that would be overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{printable(str(path))} exists, and is not overwritten.")
        self.path = path


class ExportError(OutputError):
    """Something that cannot be exported."""


class TrainingError(SdaError):
    """A run that cannot continue; its state is saved."""


class Cancelled(Exception):
    """The user asked to stop.  Raised at the next safe point, caught where the state is saved."""
