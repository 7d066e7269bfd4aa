"""Which files an export writes, and of which run it is.  Reads no model."""

from pathlib import Path

from core.config import ExportRequest
from core.errors import ConfigError, ExportError
from core.paths import expand, is_file
from core.runs.directory import RunDirectory
from core.runs.find import find_owner
from core.targets import check_target
from core.text import printable


def plan_targets(request: ExportRequest) -> dict[str, list[Path]]:
    """The files of each export, absolute, in the order that they are written.  Makes the folder for them.

    Raises ConfigError if the choices do not fit the model, ExportError if a file cannot be written, or is
    there and may not be overwritten.
    """
    model_is_file = is_file(request.model)
    if model_is_file and request.checkpoint is not None:
        raise ConfigError(f"{printable(request.model.name)} is a file already; name a run, or no checkpoint.")
    if request.metrics and owner(request.model) is None:
        raise ConfigError(f"{printable(request.model.name)} has no history; name a run for metrics.")
    endings = request.file_endings
    names = [ending for each in endings.values() for ending in each]
    out = expand(request.out or Path())
    if len(names) == 1 and out.suffix and not out.is_dir():
        return {kind: [check_target(out, request.overwrite)] for kind in endings}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"{printable(str(out))} cannot be a folder for the files ({error.strerror})."
        ) from error
    stem = request.model.stem if model_is_file else request.model.absolute().name
    return {
        kind: [check_target(out / f"{stem}{ending}", request.overwrite) for ending in each]
        for kind, each in endings.items()
    }


def owner(model: Path) -> RunDirectory | None:
    """The run of a model: itself, or the one that its file lies in."""
    return find_owner(model) if is_file(model) else RunDirectory(model)
