"""A whole export: each kind of file that is requested, from one model."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from core.config import ExportRequest
from core.runs.checkpoints import BEST
from core.synthesis.export.bundle import write_bundle
from core.synthesis.export.card import write_card
from core.synthesis.export.nn_tilde import write_nn_tilde
from core.synthesis.export.programs import write_onnx, write_programs
from core.synthesis.export.source import ModelSource, open_source


def export_model(request: ExportRequest, targets: Mapping[str, Sequence[Path]]) -> Iterator[Path]:
    """Write the files of a request, whose paths are `targets`, and yield each when it is there.

    Raises CheckpointError, ExportError.
    """
    source = open_source(request.model, request.checkpoint or BEST)
    source = source.licensed(request.model_licence, request.sounds_licence)
    files = [path for paths in targets.values() for path in paths]
    for kind in request.kinds:
        yield from _write(kind, targets[kind], source, request, files)


def _write(
    kind: str, paths: Sequence[Path], source: ModelSource, request: ExportRequest, files: Sequence[Path]
) -> list[Path]:
    path, overwrite, sounds = paths[0], request.overwrite, request.sounds
    match kind:
        case "bundle":
            return [write_bundle(path, source, names=request.names, sounds=sounds, overwrite=overwrite)]
        case "onnx" | "torch":
            write = write_onnx if kind == "onnx" else write_programs
            start = path.with_name(path.stem.removesuffix("encoder"))
            return write(start, source, overwrite=overwrite)
        case "nn":
            return [write_nn_tilde(path, source, sounds=sounds, overwrite=overwrite)]
    return [write_card(path, source, files=files, names=request.names, sounds=sounds, overwrite=overwrite)]
