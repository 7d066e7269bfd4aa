"""Previews of the best epoch of a run that has ended, where it was none of the preview interval's."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import torch

from core.errors import CheckpointError, RunError
from core.events import EpochFinished, PreviewKind, PreviewReady
from core.paths import is_file
from core.runs import BEST_FILE, EventLog, RunDirectory, RunManifest, read_events, read_log_mel
from core.synthesis.bundle import ModelBundle, load_bundle
from core.synthesis.previews import PreviewRenderer


def add_best_previews(
    run: RunDirectory, device: str | None, cancelled: Callable[[], bool], inversion: str | None = None
) -> list[PreviewReady]:
    """Render the previews of the best checkpoint and log them, unless there are some; what was added.

    They are what the run would have rendered at that epoch, from the clip's spectrogram in its folder; on a
    CPU bit for bit.  `inversion` is one of QUALITIES, the run's own without it.  The run is locked while they
    are logged and not while they are rendered, and nothing is logged if another process trains it by then.

    Raises RunError or CheckpointError if they cannot be made, ConfigError, OSError, Cancelled within a few
    iterations.
    """
    manifest = run.read_manifest()
    logged, best_epoch = _read_log(run)
    best = run.checkpoints / BEST_FILE
    if _has_epoch(logged, best_epoch) or not is_file(best) or run.lock.holder() is not None:
        return []
    bundle = load_bundle(best, device=device)
    epoch, step = bundle.provenance.epoch, bundle.provenance.step
    if not epoch or _has_epoch(logged, epoch):
        return []
    renderer = _renderer(run, manifest, bundle, _clip_mel(run, logged, epoch), inversion)
    made = list(renderer.render(bundle, epoch, step, cancelled))
    run.lock.acquire()
    try:
        if _has_epoch(_read_log(run)[0], epoch):  # another process was faster
            return []
        with contextlib.closing(EventLog(run.events)) as log:
            for preview in made:
                log.append(preview)
    finally:
        run.lock.release()
    return made


def _read_log(run: RunDirectory) -> tuple[list[PreviewReady], int]:
    """The previews in the log, and the best epoch."""
    previews: list[PreviewReady] = []
    best_epoch = 0
    try:
        for event, _ in read_events(run.events, PreviewReady, EpochFinished):
            if isinstance(event, PreviewReady):
                previews.append(event)
            elif isinstance(event, EpochFinished):
                best_epoch = event.best_epoch
    except OSError as error:
        raise RunError(f"The log of {run.name} cannot be read ({error.strerror}).") from error
    return previews, best_epoch


def _has_epoch(logged: list[PreviewReady], epoch: int) -> bool:
    return any(each.epoch == epoch and each.kind == PreviewKind.RECONSTRUCTION for each in logged)


def _clip_mel(run: RunDirectory, logged: list[PreviewReady], epoch: int) -> Path:
    """The spectrogram of the clip that the previews of an epoch are of."""
    kind = PreviewKind.RESYNTHESIS
    clips = [each for each in logged if each.kind == kind and each.epoch <= epoch]
    if not clips:
        raise RunError(f"{run.name} has no clip whose preview could be rendered.")
    newest = max(clips, key=lambda each: each.epoch)
    return run.previews / f"{Path(newest.path).stem}.npy"  # a log from elsewhere must not lead outside


def _renderer(
    run: RunDirectory, manifest: RunManifest, bundle: ModelBundle, clip: Path, inversion: str | None
) -> PreviewRenderer:
    config = manifest.config
    log_mel = torch.from_numpy(read_log_mel(clip).copy())[None, None]
    expected = (bundle.spectrogram.n_mels, bundle.model.config.n_frames)
    if log_mel.shape[2:] != expected or not log_mel.isfinite().all():
        raise CheckpointError(f"{clip.name} does not fit the model of {run.name}.")
    return PreviewRenderer(
        run.previews,
        manifest.spectrogram,
        torch.zeros(bundle.chunk_samples),
        log_mel.to(bundle.device),
        "",
        config.preview_samples,
        config.seed,
        inversion=inversion or config.preview_inversion,
        gain=manifest.gain,
        has_clip=False,
    )
