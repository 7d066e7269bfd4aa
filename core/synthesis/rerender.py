"""Previews of a run rendered again from the spectrograms beside them, with another inversion."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.audio.writing import write_wav
from core.config import SpectrogramConfig
from core.device import choose_device
from core.errors import Cancelled, CheckpointError, RunError
from core.events import PreviewKind, PreviewReady
from core.runs import RunDirectory, read_events, read_log_mel
from core.synthesis.best_previews import add_best_previews
from core.synthesis.previews import phase_generator
from core.synthesis.render import SoundRenderer
from core.text import printable

logger = logging.getLogger(__name__)

GPU_BATCH = 8
SHOWN_EPOCHS = 6


@dataclass(frozen=True)
class Rerendered:
    """A preview, `path` relative to its run, `done` of `total`; `problem` says why it stays as it was."""

    path: str
    done: int
    total: int
    problem: str


def rerender(
    run: RunDirectory, inversion: str, epoch: int | None, device: str | None, cancelled: Callable[[], bool]
) -> Iterator[Rerendered]:
    """Replace the sounds of a run's previews, of one epoch or of all, and yield each when it is there.

    `inversion` is one of QUALITIES.  Nothing but these sounds is written, each atomically, so that the run
    may be trained meanwhile; to one that is not, previews of its best epoch are added if it has none.  Raises
    RunError if there is no such preview, ConfigError, OSError if a sound cannot be written, Cancelled within
    a few iterations; sounds not reached are then as they were.
    """
    manifest = run.read_manifest()
    try:
        add_best_previews(run, device, cancelled, inversion)
    except (CheckpointError, RunError) as error:
        logger.warning("the best epoch of %s has no previews (%s)", run.name, error)
    due = _previews(run, epoch)
    where = choose_device(device)
    renderer = SoundRenderer(manifest.spectrogram, inversion, where, manifest.gain)
    samples = manifest.config.chunk_samples(manifest.spectrogram)
    size = GPU_BATCH if where.type == "cuda" else torch.get_num_threads()
    done = 0
    for first in range(0, len(due), size):
        readable: list[tuple[PreviewReady, Tensor]] = []
        for preview in due[first : first + size]:
            try:
                readable.append((preview, _read_mel(run, preview, manifest.spectrogram)))
            except ValueError as error:
                done += 1
                yield Rerendered(preview.path, done, len(due), str(error))
        if not readable:
            continue
        draws = [phase_generator(manifest.config.seed, preview.label) for preview, _ in readable]
        sounds = renderer(torch.stack([log_mel for _, log_mel in readable]), samples, draws, cancelled)
        for (preview, _), sound in zip(readable, sounds, strict=True):
            if cancelled():
                raise Cancelled
            write_wav(_file(run, preview), sound, manifest.spectrogram.sample_rate)
            done += 1
            yield Rerendered(preview.path, done, len(due), "")


def _previews(run: RunDirectory, epoch: int | None) -> list[PreviewReady]:
    """Those that have a spectrogram, each path once.  Raises RunError if there are none."""
    try:
        logged = [event for event, _ in read_events(run.events, PreviewReady)]
    except OSError as error:
        raise RunError(f"The log of {printable(run.name)} cannot be read ({error.strerror}).") from error
    made = {each.path: each for each in logged if each.kind != PreviewKind.ORIGINAL}
    found = [each for each in made.values() if epoch is None or each.epoch == epoch]
    if not made:
        raise RunError(f"{printable(run.name)} has no previews yet.")
    if not found:
        epochs = [str(number) for number in sorted({each.epoch for each in made.values()})]
        shown = ", ".join(epochs[:SHOWN_EPOCHS]) + (" …" if len(epochs) > SHOWN_EPOCHS else "")
        raise RunError(f"{printable(run.name)} has no previews of epoch {epoch}; there are those of {shown}.")
    return found


def _file(run: RunDirectory, preview: PreviewReady) -> Path:
    """Where a preview lies; a log from elsewhere must not lead outside."""
    return run.previews / f"{Path(preview.path).stem}.wav"


def _read_mel(run: RunDirectory, preview: PreviewReady, spectrogram: SpectrogramConfig) -> Tensor:
    """The spectrogram [1, mels, frames] of a preview.  Raises ValueError if there is none."""
    path = _file(run, preview).with_suffix(".npy")
    name = printable(path.name)
    try:
        log_mel = read_log_mel(path)
    except RunError as error:
        raise ValueError(str(error).rstrip(".")) from error
    if log_mel.shape[0] != spectrogram.n_mels:
        raise ValueError(f"{name} is not of this run")
    if not np.isfinite(log_mel).all():
        raise ValueError(f"{name} is damaged")
    return torch.from_numpy(log_mel.copy()).unsqueeze(0)
