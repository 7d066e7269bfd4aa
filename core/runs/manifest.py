"""`run.json`: configuration, dataset fingerprint and split, versions of the software."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from core.audio.levels import LARGEST_GAIN, Level
from core.config import ResolvedConfig, SettingValue, SpectrogramConfig, TrainingConfig, find_setting
from core.data.leveling import dataset_level, with_gains
from core.data.plan import replan
from core.data.report import DatasetFile, Excerpt, FileReport, ScanReport, Split, Verdict
from core.errors import ConfigError, RunError
from core.paths import expand, is_folder, source_paths
from core.records import (
    LARGEST_INTEGER,
    read_integer,
    read_list,
    read_mapping,
    read_number,
    read_path,
    read_text,
)
from core.text import printable

FORMAT_VERSION = 1
LONGEST_SOUND_S = 1e6
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

    `gain` is that of the dataset, which a sound from elsewhere gets too.  `sources` as in `ScanReport`;
    `parent` says from where, if it is a branch of another run or starts from its model.  `left_out` are the
    sounds that the user left out of the dataset.
    """

    preset: str
    config: ResolvedConfig
    spectrogram: SpectrogramConfig
    folder: str
    files: tuple[DatasetFile, ...]
    split: Split
    gain: float = 1.0
    sources: tuple[str, ...] = ()
    created: str = ""
    software: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parent: Parent | None = None
    left_out: tuple[DatasetFile, ...] = ()

    @classmethod
    def from_scan(
        cls, report: ScanReport, preset: str, config: TrainingConfig, parent: Parent | None = None
    ) -> Self:
        """The description of a new run.

        Raises NoUsableSoundsError, and SdaError if the path of the preview clip names no user.
        """
        report.require_usable()
        report = replan(report, config.chunk_duration_s, config.seed)
        level = dataset_level(config.level, report.files)
        if config.preview_clip:  # the run may be continued from another folder
            clip = expand(Path(config.preview_clip)).absolute()
            config = config.with_settings({"preview_clip": str(clip)})
        return cls(
            preset=preset,
            config=config.resolved(report.split.training_chunks),
            spectrogram=config.spectrogram,
            folder=report.folder,
            sources=report.sources,
            files=_dataset_files(report.usable_files),
            left_out=_dataset_files(file for file in report.files if file.verdict is Verdict.LEFT_OUT),
            split=with_gains(report.split, level, report.files),
            gain=level.gain,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            software=_software(),
            parent=parent,
        )

    @property
    def level(self) -> Level:
        """How sounds are brought to the level that the run is trained at."""
        return Level(self.config.level, self.gain)

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
            raise ConfigError(f"epochs must be at least {begun}, as many as have begun, not {config.epochs}.")
        return dataclasses.replace(self, config=config)

    def with_sources_of(self, other: Self) -> Self:
        """The description of the same run with its sounds where another one has them."""
        return dataclasses.replace(self, folder=other.folder, sources=other.sources)

    def to_dict(self) -> dict[str, Any]:
        return {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, record: Any) -> Self:
        """Read what `to_dict` wrote.  Raises RunError, saying what is wrong, for anything else."""
        try:
            version = read_mapping(record)["format_version"]
            if version != FORMAT_VERSION:
                raise RunError(f"its format version is {version}, and this program reads {FORMAT_VERSION}")
            split = record["split"]
            config = ResolvedConfig.from_dict(record["config"])
            if SpectrogramConfig.from_dict(read_mapping(record["spectrogram"])) != config.spectrogram:
                raise ValueError("its spectrogram is not the one that this program computes")
            return cls(
                preset=printable(read_text(record["preset"])),
                config=config,
                spectrogram=config.spectrogram,
                folder=read_path(record["folder"]),
                files=tuple(map(_dataset_file, read_list(record["files"]))),
                split=Split(
                    method=read_text(split["method"]),
                    note=printable(read_text(split["note"])),
                    train=_excerpts(split["train"]),
                    validation=_excerpts(split["validation"]),
                ),
                # Older versions did not write these four.
                left_out=tuple(map(_dataset_file, read_list(record.get("left_out", [])))),
                gain=_gain(record.get("gain", 1.0)),
                sources=tuple(map(_path_inside, read_list(record.get("sources", [])))),
                parent=_parent(record.get("parent")),
                created=read_text(record["created"]),
                software={
                    name: printable(read_text(version))
                    for name, version in read_mapping(record["software"]).items()
                },
            )
        except RecursionError:
            raise RunError("it is nested too deeply") from None
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


def _dataset_files(reports: Iterable[FileReport]) -> tuple[DatasetFile, ...]:
    return tuple(
        DatasetFile(file.path, file.size_bytes, file.modified_ns, file.content_hash) for file in reports
    )


def _software() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in SOFTWARE:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def _parent(record: Any) -> Parent | None:
    if record is None:
        return None
    run, checkpoint = (printable(read_text(record[name])) for name in ("run", "checkpoint"))
    return Parent(run, checkpoint, read_integer(record["step"]))


def _dataset_file(record: Any) -> DatasetFile:
    values = dict(read_mapping(record))
    file = DatasetFile(
        path=_path_inside(values.pop("path")),
        size_bytes=read_integer(values.pop("size_bytes")),
        modified_ns=read_integer(values.pop("modified_ns"), least=-LARGEST_INTEGER),
        content_hash=read_text(values.pop("content_hash")),
    )
    if values:
        raise ValueError(f"a file has no {', '.join(values)}")
    return file


def _excerpts(records: Any) -> tuple[Excerpt, ...]:
    return tuple(
        Excerpt(
            path=_path_inside(record["path"]),
            start_s=_position_s(record["start_s"]),
            stop_s=_position_s(record["stop_s"]),
            chunk_starts_s=tuple(map(_position_s, read_list(record["chunk_starts_s"]))),
            gain=_gain(record.get("gain", 1.0)),
        )
        for record in read_list(records)
    )


def _position_s(value: object) -> float:
    seconds = float(read_number(value))
    if not 0 <= seconds <= LONGEST_SOUND_S:
        raise ValueError(f"{seconds} s is no position in a sound")
    return seconds


def _gain(value: object) -> float:
    gain = float(read_number(value))
    if not 0 < gain <= LARGEST_GAIN:
        raise ValueError(f"{gain} is no gain")
    return gain


def _path_inside(value: object) -> str:
    """A run from elsewhere must not make this program read outside its dataset folder."""
    path = read_path(value)
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"the path {path} leaves the dataset folder")
    return path
