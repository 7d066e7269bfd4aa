"""`run.json`: configuration, dataset fingerprint and split, versions of the software."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Self

from core.config import ResolvedConfig, SettingValue, SpectrogramConfig, TrainingConfig, find_setting
from core.data.plan import replan
from core.data.report import DatasetFile, Excerpt, ScanReport, Split
from core.errors import ConfigError, RunError
from core.paths import expand, is_folder, source_paths
from core.text import printable

FORMAT_VERSION = 1
SOFTWARE = ("sda-tui", "torch", "torchaudio", "numpy", "soundfile", "soxr")


@dataclass(frozen=True)
class Parent:
    """The run that another one began from, the file name of the checkpoint, and its step."""

    run: str
    checkpoint: str
    step: int


@dataclass(frozen=True)
class RunManifest:
    """What a run does, on which sounds.

    `sources` as in `ScanReport`; `parent` says from where, if it is a branch of another run.
    """

    preset: str
    config: ResolvedConfig
    spectrogram: SpectrogramConfig
    folder: str
    files: tuple[DatasetFile, ...]
    split: Split
    sources: tuple[str, ...] = ()
    created: str = ""
    software: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parent: Parent | None = None

    @classmethod
    def from_scan(cls, report: ScanReport, preset: str, config: TrainingConfig) -> Self:
        """The description of a new run.

        Raises NoUsableSoundsError, and SdaError if the path of the preview clip names no user.
        """
        report.require_usable()
        report = replan(report, config.chunk_duration_s, config.seed)
        if config.preview_clip:  # the run may be continued from another folder
            clip = expand(Path(config.preview_clip)).absolute()
            config = config.with_settings({"preview_clip": str(clip)})
        return cls(
            preset=preset,
            config=config.resolved(report.split.training_chunks),
            spectrogram=config.spectrogram,
            folder=report.folder,
            sources=report.sources,
            files=tuple(
                DatasetFile(file.path, file.size_bytes, file.modified_ns, file.content_hash)
                for file in report.usable_files
            ),
            split=report.split,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            software=_software(),
        )

    @property
    def source_paths(self) -> tuple[Path, ...]:
        return source_paths(self.folder, self.sources)

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every training chunk `augmentation_expansion` times."""
        items = self.split.training_chunks * self.config.augmentation_expansion
        return max(1, -(-items // self.config.batch_size))

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.config.epochs

    def with_settings(self, values: Mapping[str, SettingValue], steps_done: int) -> Self:
        """The description of the same run, continued with other settings.

        Raises ConfigError for a setting that is fixed when a run begins, and for fewer epochs than are done.
        """
        for name, value in values.items():
            reason = find_setting(name).fixed
            if reason and value != getattr(self.config, name):
                raise ConfigError(
                    f"{name} is fixed when a run begins, as {reason}; start a new run to change it."
                )
        config = self.config.with_settings(values).resolved(self.split.training_chunks)
        begun = -(-steps_done // self.steps_per_epoch)
        if config.epochs < begun:
            raise ConfigError(f"epochs must be at least {begun}, which are begun, not {config.epochs}.")
        return dataclasses.replace(self, config=config)

    def to_dict(self) -> dict[str, Any]:
        return {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, record: Any) -> Self:
        """Read what `to_dict` wrote.  Raises RunError, saying what is wrong, for anything else."""
        try:
            version = record["format_version"]
            if version != FORMAT_VERSION:
                raise RunError(f"its format version is {version}, and this program reads {FORMAT_VERSION}")
            split = record["split"]
            config = ResolvedConfig.from_dict(record["config"])
            if record["spectrogram"] != dataclasses.asdict(config.spectrogram):
                raise ValueError("its spectrogram is not the one that this program computes")
            return cls(
                preset=str(record["preset"]),
                config=config,
                spectrogram=config.spectrogram,
                folder=str(record["folder"]),
                files=tuple(_dataset_file(file) for file in record["files"]),
                split=Split(
                    method=str(split["method"]),
                    note=str(split["note"]),
                    train=_excerpts(split["train"]),
                    validation=_excerpts(split["validation"]),
                ),
                sources=_sources(record.get("sources", ())),  # which older versions did not write
                created=str(record["created"]),
                software=dict(record["software"]),
                parent=_parent(record.get("parent")),
            )
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise RunError(f"it is not a run's description ({error})") from error

    @property
    def has_folder(self) -> bool:
        """Whether the folder of its sounds is there."""
        return is_folder(Path(self.folder))

    def changed_files(self) -> tuple[DatasetFile, ...]:
        """Sounds that are not where they were, or were touched; their content may still be there."""
        return tuple(file for file in self.files if not file.is_unchanged_in(Path(self.folder)))

    def software_changes(self) -> list[str]:
        """Messages on software versions that changed since the run began, which may change its numbers."""
        return [
            f"{name} was {self.software[name]} when the run began and is {version} now."
            for name, version in _software().items()
            if self.software.get(name, version) != version
        ]


def _software() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in SOFTWARE:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def _parent(record: Mapping[str, Any] | None) -> Parent | None:
    if record is None:
        return None
    return Parent(str(record["run"]), str(record["checkpoint"]), int(record["step"]))


def _dataset_file(record: Mapping[str, Any]) -> DatasetFile:
    file = DatasetFile(**record)
    _refuse_outside(file.path)
    return file


def _excerpts(records: Sequence[Mapping[str, Any]]) -> tuple[Excerpt, ...]:
    excerpts = []
    for record in records:
        _refuse_outside(record["path"])
        starts = tuple(float(start) for start in record["chunk_starts_s"])
        excerpts.append(Excerpt(record["path"], float(record["start_s"]), float(record["stop_s"]), starts))
    return tuple(excerpts)


def _sources(paths: Sequence[str]) -> tuple[str, ...]:
    for path in paths:
        _refuse_outside(path)
    return tuple(paths)


def _refuse_outside(path: str) -> None:
    """A run from elsewhere must not make this program read outside its dataset folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"the path {printable(path)} leaves the dataset folder")
