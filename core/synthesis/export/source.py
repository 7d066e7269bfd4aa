"""The model that is exported, and where it comes from."""

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch

from core.checkpoints.archive import State, parse_checkpoint, read_sealed
from core.checkpoints.bundle_file import Provenance, is_bundle_file, read_bundle_file
from core.checkpoints.folder import find_checkpoint
from core.errors import CheckpointError
from core.paths import expand
from core.runs import RunDirectory, find_owner
from core.runs.checkpoints import BEST
from core.runs.figures import checkpoint_figures
from core.synthesis.bundle import ModelBundle, bundle_of_state
from core.text import printable

CPU = torch.device("cpu")


@dataclass(frozen=True)
class ModelSource:
    """A model on the CPU, the state that it was read from, where that comes from, and its run, if known."""

    bundle: ModelBundle
    state: State = field(repr=False)
    provenance: Provenance
    run: RunDirectory | None

    def licensed(self, model_licence: str, sounds_licence: str) -> Self:
        """The same under these licences; one that is empty stays as it was."""
        provenance = dataclasses.replace(
            self.provenance,
            model_licence=model_licence or self.provenance.model_licence,
            sounds_licence=sounds_licence or self.provenance.sounds_licence,
        )
        return dataclasses.replace(self, provenance=provenance)


def open_source(path: Path | str, which: str | int = BEST) -> ModelSource:
    """The model of a run directory, a checkpoint file or a bundle file; `which` as in `load_bundle`.

    Raises CheckpointError if there is none that can be used.
    """
    file = find_checkpoint(expand(Path(path)), which)
    name = printable(file.name)
    if is_bundle_file(file):
        state, provenance = read_bundle_file(file)
        return ModelSource(bundle_of_state(state, name, CPU), state, provenance, None)
    data = read_sealed(file)
    state = parse_checkpoint(data, name)
    bundle = bundle_of_state(state, name, CPU)
    run = find_owner(file)
    try:
        step, epoch = int(state["step"]), int(state["epoch"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name} does not hold how far its run had come ({error}).") from error
    provenance = Provenance(
        run=printable(run.name if run else file.stem),
        checkpoint=name,
        checkpoint_sha256=hashlib.sha256(data).hexdigest(),
        step=step,
        epoch=epoch,
        figures=checkpoint_figures(run, epoch) if run else {},
    )
    return ModelSource(bundle, state, provenance, run)
