"""What a run will take, as text: steps, time and disk space."""

from core.events import DeviceInfo
from core.runs import RunEstimate, RunManifest, TimeEstimate
from core.text import printable
from sda_tui import format as fmt

LONGEST_NAME = 24  # of a run, in the short form


def short_plan(
    manifest: RunManifest, run: RunEstimate, device: DeviceInfo | None, time: TimeEstimate | None
) -> str:
    """What matters before the start, in about a hundred characters; no time before the device is known."""
    steps = (
        f"{fmt.count(run.total_steps, 'step')}: {fmt.count(manifest.config.epochs, 'epoch')} of "
        f"{run.steps_per_epoch}, batches of {manifest.config.batch_size}"
    )
    parts = [steps, f"about {fmt.size(run.disk_bytes)} on disk"]
    if time is not None:
        name = fmt.shorten(printable(time.run), LONGEST_NAME)
        parts.insert(1, f"{_about(time)} by the speed of {name}")
    elif device is not None:
        parts.insert(1, "time: the first epoch will tell")
    return "; ".join(parts) + "."


def plan_details(
    manifest: RunManifest, run: RunEstimate, device: DeviceInfo | None, time: TimeEstimate | None
) -> str:
    """The rest, in sentences."""
    split = manifest.split
    model = f"A model of {run.weights / 1e6:.1f} million weights"
    if not 0.9 < run.work < 1.1:
        model += f"; a chunk takes {run.work:.2g} times as much computing as usual"
    sentences = [
        f"{fmt.count(split.training_chunks, 'training chunk')}, {split.validation_chunks} for validation. "
        f"{split.note}",
        f"{model}. {fmt.count(run.previews, 'preview')}.",
    ]
    if device is not None:
        sentences.append(time_sentence(device, time))
    return "\n".join(sentences)


def time_sentence(device: DeviceInfo, time: TimeEstimate | None) -> str:
    """How long the run will take, and how that is known."""
    here = printable(device.title)
    if time is None:
        return f"Time: no earlier run on {here} is like this one; the first epoch will tell."
    scaled = ", scaled to the computing of this one" if time.is_scaled else ""
    return f"Time: {_about(time)} of training, by the speed of {printable(time.run)} on {here}{scaled}."


def _about(time: TimeEstimate) -> str:
    return f"{'roughly' if time.is_scaled else 'about'} {fmt.rough_duration(time.seconds)}"
