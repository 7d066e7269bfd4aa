"""A run whose model starts from the weights of another: reading the checkpoint, and loading it."""

from pathlib import Path

import torch

from core.atomic import write_atomically
from core.checkpoints.archive import LARGEST_BYTES, State, read_checkpoint
from core.checkpoints.folder import find_checkpoint
from core.config import ResolvedConfig, SpectrogramConfig
from core.disk import explain_write_error
from core.errors import CheckpointError, ConfigError, RunError
from core.files import read_bounded
from core.model import VAE, build_model
from core.runs import Parent, RunDirectory, StartModel
from core.runs.find import find_model, find_owner
from core.text import first_line, printable


def open_start_model(text: str, root: Path) -> StartModel:
    """The model of the run of this name or path, at its best, or of the checkpoint file of this path.

    Raises RunNotFoundError, CheckpointError if there is none that can be used here.
    """
    return _read(find_checkpoint(find_model(text, root)).absolute())


def copy_start_model(start: StartModel, run: RunDirectory) -> None:
    """Keep the checkpoint in the new run, whatever becomes of the other one.  Raises RunError."""
    try:
        write_atomically(run.start_model, read_bounded(start.file, LARGEST_BYTES))
    except OSError as error:
        raise RunError(
            f"The model cannot be copied to {printable(str(run.path))} {explain_write_error(error)}."
        ) from error


def load_start_model(run: RunDirectory, model: VAE) -> None:
    """Load the EMA weights that the run keeps.  Raises CheckpointError."""
    _load(read_checkpoint(run.start_model), model, run.start_model.name)


def _read(file: Path) -> StartModel:
    state = read_checkpoint(file)
    name = printable(file.name)
    try:
        config = ResolvedConfig.from_dict(state["config"])
        step = int(state["step"])
        if SpectrogramConfig.from_dict(state["spectrogram"]) != config.spectrogram:
            raise CheckpointError(f"{name} was made with another spectrogram; its sounds would not fit.")
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name} holds no model that this version can use ({error}).") from error
    _load(state, build_model(config.model_config(config.spectrogram), torch.device("cpu")), name)
    owner = find_owner(file)
    return StartModel(file, Parent(owner.name if owner else file.stem, file.name, step), config)


def _load(state: State, model: VAE, name: str) -> None:
    try:
        model.load_state_dict(state["ema_model"])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{name} holds no model that this version can use ({first_line(error)})."
        ) from error
