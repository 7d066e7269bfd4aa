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
from core.data.report import Excerpt, ScanReport, Split
from core.errors import ConfigError, RunError
from core.paths import expand, source_paths
from core.text import name_some, printable

FORMAT_VERSION = 1
SOFTWARE = ("sda-tui", "torch", "torchaudio", "numpy", "soundfile", "soxr")


@dataclass(frozen=True)
class DatasetFile:
    """A file of the dataset: its content's hash, and the size and time by which a change is found quickly."""

    path: str
    size_bytes: int
    modified_ns: int
    content_hash: str


@dataclass(frozen=True)
class RunManifest:
    """What a run does, on which sounds.  `sources` as in `ScanReport`."""

    preset: str
    config: ResolvedConfig
    spectrogram: SpectrogramConfig
    folder: str
    files: tuple[DatasetFile, ...]
    split: Split
    sources: tuple[str, ...] = ()
    created: str = ""
    software: Mapping[str, str] = dataclasses.field(default_factory=dict)

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
        for name in values:
            if find_setting(name).fixed:
                raise ConfigError(f"{name} is fixed when a run begins; start a new run to change it.")
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
            )
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise RunError(f"it is not a run's description ({error})") from error

    def changes_since(self) -> list[str]:
        """Messages on files that are missing or changed, by size and time, since the run was made."""
        folder = Path(self.folder)
        if not folder.is_dir():
            return [f"The folder {printable(self.folder)} is gone; put it back to continue."]
        missing, changed = [], []
        for file in self.files:
            try:
                status = (folder / file.path).stat()
            except OSError:
                missing.append(printable(file.path))
                continue
            if (status.st_size, status.st_mtime_ns) != (file.size_bytes, file.modified_ns):
                changed.append(printable(file.path))
        messages = []
        if missing:
            messages.append(f"{name_some(missing)} gone since the run began; training continues without.")
        if changed:
            messages.append(f"{name_some(changed)} changed since the run began; the new sound will be used.")
        return messages

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
