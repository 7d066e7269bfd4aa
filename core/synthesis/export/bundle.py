"""Writing a bundle file."""

from pathlib import Path
from typing import Any

from core.checkpoints.archive import FORMAT_VERSION, State
from core.checkpoints.bundle_file import BundleContent, serialise_bundle
from core.errors import CheckpointError
from core.synthesis.export.source import ModelSource
from core.targets import check_target, write_target
from core.text import first_line, printable


def write_bundle(
    path: Path | str,
    source: ModelSource,
    *,
    names: bool = False,
    sounds: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write a bundle file, which `load_bundle` opens anywhere, and return its absolute path.

    Names of sound files are left out unless `names`.  The training sounds that are kept with the latents
    travel unless `sounds` is False: new sounds then have no detail.  Raises CheckpointError for values that
    are not finite, and ExportError if the file cannot be written, or is there and may not be overwritten.
    """
    check_target(Path(path), overwrite)
    state = _portable_state(source.state)
    if not names:
        state = without_names(state)
    if not sounds:
        state = without_sounds(state)
    try:
        data = serialise_bundle(BundleContent(state, source.provenance))
    except (TypeError, ValueError) as error:
        name = printable(source.provenance.checkpoint)
        raise CheckpointError(f"{name} cannot be exported ({first_line(error)}).") from error
    return write_target(Path(path), data, overwrite)


def _portable_state(state: State) -> State:
    """The state of a checkpoint without what only training needs."""
    kept = ("step", "epoch", "config", "spectrogram", "threads", "ema_model", "task")
    return {"format_version": FORMAT_VERSION, **{name: state[name] for name in kept if name in state}}


def without_names(state: State) -> State:
    """A state that names no sound file: neither the preview clip nor those of the training sounds."""
    latents = state["task"]["latents"]
    changes: dict[str, Any] = {}
    if isinstance(latents.get("origins"), list | tuple):
        changes["origins"] = [{**each, "path": ""} for each in latents["origins"]]
    return {
        **state,
        "config": {**state["config"], "preview_clip": ""},
        "task": {**state["task"], "latents": {**latents, **changes}},
    }


def without_sounds(state: State) -> State:
    """A state without the training sounds, and hence without detail."""
    latents = {**state["task"]["latents"], "sounds": None}
    return {
        **state,
        "config": {**state["config"], "detail": 0.0},
        "task": {**state["task"], "latents": latents},
    }
