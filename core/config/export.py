"""What a user may want exported."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError

EXPORT_KINDS = ("bundle", "onnx", "torch", "nn", "card")
METRIC_FORMATS = ("csv", "json")
EXPORT_PACKAGES: Mapping[str, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript")}  # that a kind needs besides


def missing_packages(kind: str) -> tuple[str, ...]:
    """Packages that this kind of export needs and that are not installed.  Imports none of them."""
    return tuple(name for name in EXPORT_PACKAGES.get(kind, ()) if importlib.util.find_spec(name) is None)


@dataclass(frozen=True)
class ExportRequest:
    """What is exported, and where to.

    `model` is the directory of a run, or the file of a checkpoint or bundle; `checkpoint` says which of
    a run's, as in `core.runs.choose_checkpoint`, None for the best.  `kinds` are some of EXPORT_KINDS,
    `metrics` one of METRIC_FORMATS or empty, with a row per step too if `steps`.  `out` is a folder, or a
    file if one file is written; None is the current folder.  Names of sounds travel if `names`, training
    sounds that are kept with the latents if `sounds`.  Raises ConfigError for values that make no sense.
    """

    model: Path
    checkpoint: str | None = None
    kinds: tuple[str, ...] = ()
    metrics: str = ""
    steps: bool = False
    out: Path | None = None
    names: bool = False
    sounds: bool = True
    model_licence: str = ""
    sounds_licence: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in EXPORT_KINDS:
                raise ConfigError(f"There is no export '{kind}'; known are: {', '.join(EXPORT_KINDS)}.")
        if self.metrics and self.metrics not in METRIC_FORMATS:
            raise ConfigError(
                f"There are no metrics as '{self.metrics}'; known are: {', '.join(METRIC_FORMATS)}."
            )
        if not self.kinds and not self.metrics:
            raise ConfigError(
                f"Nothing is to be exported; choose from {', '.join(EXPORT_KINDS)}, or metrics."
            )
        if self.steps and not self.metrics:
            raise ConfigError("Steps are a part of metrics; choose csv or json for these.")

    @property
    def file_endings(self) -> dict[str, tuple[str, ...]]:
        """How the names of the files end that each export writes, in the order that they are written."""
        endings = {
            "bundle": (".safetensors",),
            "onnx": ("-encoder.onnx", "-decoder.onnx"),
            "torch": ("-encoder.pt2", "-decoder.pt2"),
            "nn": (".ts",),
            "card": (".md",),
        }
        wanted = {"csv": ("-metrics.csv", *(["-steps.csv"] if self.steps else []))}
        wanted["json"] = ("-metrics.json",)
        metrics = {self.metrics: wanted[self.metrics]} if self.metrics else {}
        return metrics | {kind: endings[kind] for kind in EXPORT_KINDS if kind in self.kinds}
