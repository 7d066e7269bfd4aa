"""A run in a few lines: what the table of runs leaves out, and what changed since it was trained."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.config import SETTINGS
from core.events import RunState
from core.runs import RunManifest, RunSummary
from core.text import printable
from sda_tui import format as fmt
from sda_tui.look import STAR, describe_parent, describe_sources, describe_state

SHOWN_CHANGES = 12
NAMED = 5  # of several runs; the others are counted


def describe_run(summary: RunSummary) -> str:
    """State, dataset, settings and losses, the user's note, and why it failed."""
    manifest, last = summary.manifest, summary.last_epoch
    if manifest is None:
        return f"✗ {summary.problem}"
    config = manifest.config
    star = f" {STAR}" if summary.labels.is_starred else ""
    lines = [
        f"{printable(summary.name)}{star}",
        f"{describe_state(summary.state)} after {fmt.duration(summary.elapsed_s)}, at epoch {summary.epoch} "
        f"of {config.epochs}, step {summary.step} of {manifest.total_steps}; {fmt.size(summary.size_bytes)}",
    ]
    if summary.queue_place and not summary.state.is_active:
        lines[-1] += f"; queued, number {summary.queue_place}"
    if summary.labels.note:
        lines.append(f"Note: {summary.labels.note}")
    lines += [
        f"{fmt.count(len(manifest.files), 'sound')} in {describe_sources(manifest.source_paths)}",
        f"preset {manifest.preset}, batches of {config.batch_size}, {config.latent_dim} latents, "
        f"chunks of {config.chunk_duration_s:g} s",
        *describe_changes(summary),
        *describe_parent(manifest),
    ]
    if last is not None:
        losses = map(fmt.number, (last.train_loss, last.validation_loss, last.best_validation_loss))
        lines.append(
            "loss: training {}, validation {}, best {} at epoch ".format(*losses)
            + f"{last.best_epoch}; held-out RMSE {fmt.number(last.validation_error, 3)}"
        )
    if summary.state.is_active:
        lines.append(f"Trained by process {summary.holder_pid} now; View attaches to it.")
    if summary.message:
        lines.append(f"{'✓' if summary.state is RunState.FINISHED else '✗'} {summary.message}")
    if summary.queue_problem:
        lines.append(f"✗ It waited in the queue, and could not be trained: {summary.queue_problem}")
    return "\n".join(lines)


def describe_changes(summary: RunSummary) -> list[str]:
    """A line on the settings that differ from the preset's; none if there is no such setting."""
    changes = summary.changed_settings
    if not changes:
        return []
    named = [
        f"{name} {SETTINGS[name].show(change.value) or 'empty'} "
        f"({SETTINGS[name].show(change.preset_value) or 'empty'})"
        for name, change in list(changes.items())[:SHOWN_CHANGES]
    ]
    more = f" and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
    return [printable(f"changed (in brackets the preset's): {', '.join(named)}{more}")]


@dataclass(frozen=True)
class Troubles:
    """What changed since a run was trained, a line each, and whether the folder of its sounds is there."""

    lines: tuple[str, ...] = ()
    has_folder: bool = True

    @classmethod
    def of(cls, manifest: RunManifest) -> "Troubles":
        """Look at the sounds and the software, on any thread: each of the sounds is looked for."""
        software = [f"! {change}" for change in manifest.software_changes()]
        if not manifest.has_folder:
            gone = "! The folder of its sounds is gone; to continue, write below where they are now."
            return cls((gone, *software), has_folder=False)
        if changed := manifest.changed_files():
            sounds = fmt.count(len(changed), "sound")
            moved = f"! {sounds} moved, touched or gone: looked for by content when the run continues."
            return cls((moved, *software))
        return cls(tuple(software))


def describe_loss_of_runs(runs: Sequence[RunSummary]) -> str:
    """What is lost when runs are deleted."""
    size = fmt.size(sum(each.size_bytes for each in runs))
    names = [printable(each.name) for each in runs]
    lines = [f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"] if len(names) > NAMED else names
    counts = [each.run.count_files() for each in runs]
    checkpoints, previews, generated = map(sum, zip(*counts, strict=True))
    lost = [f"{size}: {fmt.count(checkpoints, 'checkpoint')}", f"{fmt.count(previews, 'file')} of previews"]
    if generated:
        lost.append(f"{fmt.count(generated, 'file')} of made sounds")
    starred = sum(each.labels.is_starred for each in runs)
    lines.append(", ".join(lost) + ", settings, curves and notes.")
    if starred:
        lines.append(f"{STAR} {fmt.count(starred, 'of them has a star', 'of them have a star')}.")
    return "\n".join([*lines, "Deleted runs cannot be brought back."])
