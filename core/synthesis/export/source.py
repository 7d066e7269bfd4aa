"""The model that is exported, and where it comes from."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch

from core.checkpoints.archive import State
from core.checkpoints.bundle_file import Provenance, is_bundle_file, read_model
from core.checkpoints.folder import find_model_file
from core.paths import expand
from core.runs import RunDirectory, find_owner
from core.runs.checkpoints import BEST
from core.runs.figures import checkpoint_figures
from core.synthesis.bundle import ModelBundle, bundle_of
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
    file = find_model_file(expand(Path(path)), which)
    state, provenance = content = read_model(file)
    run = None if is_bundle_file(file) else find_owner(file)
    if run is not None:
        provenance = dataclasses.replace(provenance, figures=checkpoint_figures(run, provenance.epoch))
    return ModelSource(bundle_of(content, printable(file.name), CPU), state, provenance, run)
