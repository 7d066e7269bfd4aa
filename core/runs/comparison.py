"""Runs beside each other: their curves, where their figures can be compared, and the same preview of each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.errors import RunError
from core.events import EpochFinished, PreviewKind, PreviewReady
from core.runs.directory import RunDirectory
from core.runs.event_log import read_events
from core.runs.manifest import RunManifest
from core.runs.settings_changes import differing_settings
from core.runs.summary import RunSummary
from core.text import printable

# Settings that change what a loss is the sum of: with one of them different, losses cannot be compared.
LOSS_SETTINGS = ("loss", "kl_weight", "free_bits", "chunk_duration_s", "latent_dim")
SCALE_SETTINGS = ("reference_gain", "mel_bands", "level", "chunk_duration_s")  # what an error is measured in

MOST_NAMED = 3  # of the sounds that not all runs have


class CurvePoint(NamedTuple):
    """The validation of an epoch; None where a number was not finite."""

    epoch: int
    step: int
    loss: float | None
    rmse: float | None


class PreviewKey(NamedTuple):
    """What makes previews of different runs the same: an origin, or the number of a sample."""

    kind: str
    label: str


@dataclass(frozen=True)
class ComparedRun:
    """A run with its curve and its previews in the order of its log."""

    run: RunDirectory
    manifest: RunManifest
    points: tuple[CurvePoint, ...]
    previews: tuple[PreviewReady, ...] = field(repr=False, default=())

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def best(self) -> CurvePoint | None:
        """The epoch with the lowest validation loss."""
        measured = [each for each in self.points if each.loss is not None]
        return min(measured, key=lambda each: (each.loss, each.epoch), default=None)

    @property
    def lowest_rmse(self) -> CurvePoint | None:
        measured = [each for each in self.points if each.rmse is not None]
        return min(measured, key=lambda each: (each.rmse, each.epoch), default=None)

    def preview(self, key: PreviewKey) -> PreviewReady | None:
        """The preview of this kind nearest to the best epoch, an earlier one if two are as near."""
        best = self.best.epoch if self.best is not None else 0
        same = [each for each in self.previews if (each.kind, each.label) == key]
        return min(same, key=lambda each: (abs(each.epoch - best), each.epoch), default=None)


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other.  `problems` are those of runs that could not be read."""

    runs: tuple[ComparedRun, ...]
    problems: tuple[str, ...] = ()

    @property
    def differences(self) -> Mapping[str, tuple[str, ...]]:
        """Settings, dataset and preset that are not the same, with the value in each run."""
        manifests = [each.manifest for each in self.runs]
        rows = dict(differing_settings(manifests))
        shared = frozenset.intersection(*map(_hashes, manifests)) if manifests else frozenset()
        sounds = tuple(_describe_sounds(each, shared) for each in manifests)
        return {"sounds": sounds, **rows} if len(set(map(_hashes, manifests))) > 1 else rows

    @property
    def previews(self) -> tuple[PreviewKey, ...]:
        """What can be heard of at least one run: reconstructions first, then samples, then the originals."""
        order = [
            PreviewKind.RECONSTRUCTION,
            PreviewKind.SAMPLE,
            PreviewKind.ORIGINAL,
            PreviewKind.RESYNTHESIS,
        ]
        keys = dict.fromkeys(PreviewKey(each.kind, each.label) for run in self.runs for each in run.previews)
        known = [key for key in keys if key.kind in order]
        return tuple(sorted(known, key=lambda key: (order.index(PreviewKind(key.kind)), key.label)))

    @property
    def are_losses_comparable(self) -> bool:
        """Whether the losses of these runs are the same sum, measured in the same scale."""
        return self.differences.keys().isdisjoint((*LOSS_SETTINGS, *SCALE_SETTINGS))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the figures of these runs say of each other, and what not."""
        differing = self.differences
        loss, scale = (
            [name for name in names if name in differing] for names in (LOSS_SETTINGS, SCALE_SETTINGS)
        )
        remarks = list(self.problems)
        if scale:
            remarks.append(f"Neither RMSE nor loss can be compared, but by ear: {_differ(scale)}.")
        elif loss:
            remarks.append(f"The losses cannot be compared, the RMSE can: {_differ(loss)}.")
        if len({_held_out(each.manifest) for each in self.runs}) > 1:
            remarks.append("They hold out different sounds: a lower figure may only mean easier sounds.")
        return tuple(remarks)


def compare_runs(summaries: Sequence[RunSummary]) -> Comparison:
    """Read the curves and previews of runs; one that cannot be read is named in the result."""
    runs, problems = [], []
    for summary in summaries:
        try:
            runs.append(_read(summary.run))
        except RunError as error:
            problems.append(f"{printable(summary.name)} is left out: {error}")
    return Comparison(tuple(runs), tuple(problems))


def find_rival(summary: RunSummary, others: Sequence[RunSummary]) -> list[RunSummary]:
    """The run on the same sounds with the lowest held-out error, as a list; empty if there is none."""
    if summary.manifest is None:
        return []
    sounds = _hashes(summary.manifest)
    same = [
        each
        for each in others
        if each.run.path != summary.run.path
        and each.manifest is not None
        and _hashes(each.manifest) == sounds
    ]
    return sorted(same, key=lambda each: _or_last(each.held_out_rmse))[:1]


def _read(run: RunDirectory) -> ComparedRun:
    manifest = run.read_manifest()
    points: dict[int, CurvePoint] = {}  # of an epoch that a resume repeated, the last
    previews: dict[str, PreviewReady] = {}
    try:
        for event, _ in read_events(run.events, EpochFinished, PreviewReady):
            if isinstance(event, PreviewReady):
                previews[event.path] = event
            elif isinstance(event, EpochFinished):
                points[event.epoch] = CurvePoint(
                    event.epoch, event.step, _finite(event.validation_loss), _finite(event.validation_error)
                )
    except OSError as error:
        raise RunError(f"its log cannot be read ({error.strerror}).") from error
    ordered = tuple(points[epoch] for epoch in sorted(points))
    return ComparedRun(run, manifest, ordered, tuple(previews.values()))


def _differ(names: Sequence[str]) -> str:
    """These settings are not the same, as a clause."""
    return f"{', '.join(names)} {'differs' if len(names) == 1 else 'differ'}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _or_last(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else math.inf


def _hashes(manifest: RunManifest) -> frozenset[str]:
    return frozenset(file.content_hash for file in manifest.files)


def _describe_sounds(manifest: RunManifest, shared: frozenset[str]) -> str:
    """How many in which folder, and the first of those that not all runs have."""
    others = sorted(file.path for file in manifest.files if file.content_hash not in shared)
    text = f"{len(manifest.files)} in {printable(manifest.source_paths[0].name)}"
    if not others or len(others) == len(manifest.files):
        return text
    names = [printable(path) for path in others[:MOST_NAMED]]
    if len(others) > MOST_NAMED:
        names.append(f"{len(others) - MOST_NAMED} more")
    return f"{text}; not in all: {', '.join(names)}"


def _held_out(manifest: RunManifest) -> frozenset[str]:
    hashes = {file.path: file.content_hash for file in manifest.files}
    return frozenset(hashes.get(path, path) for path in manifest.split.validation_paths)
