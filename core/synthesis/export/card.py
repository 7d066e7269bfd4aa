"""The model card: what a model was trained on, how well, and how to use the files beside it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.checkpoints.bundle_file import SUFFIX as BUNDLE_SUFFIX
from core.config import SETTINGS, TrainingConfig
from core.synthesis.export.nn_tilde import SUFFIX as NN_SUFFIX
from core.synthesis.export.nn_tilde import buffer_samples
from core.synthesis.export.programs import ONNX_SUFFIX, PROGRAM_SUFFIX
from core.synthesis.export.source import ModelSource
from core.targets import write_target
from core.text import printable

SUFFIX = ".md"
TAGS = ("audio", "audio-generation", "vae", "small-data", "sda-tui")
SHOWN_FIGURES: Mapping[str, str] = {
    "held_out_rmse": "error on held-out sounds (RMSE of log-mel, natural logarithm)",
    "untrained_held_out_rmse": "the same before training",
    "train_rmse": "the same on training sounds",
    "quality": "quality: part of the untrained model's squared error that training removed",
    "validation_loss": "validation loss",
    "train_loss": "training loss",
    "kl_divergence": "KL divergence in nats, on held-out sounds",
    "active_latent_dimensions": "latent dimensions that carry information",
    "validation_detail": "detail that reconstructions of held-out sounds give back, of 1",
    "overfitting_gap": "overfitting gap, relative",
}


def write_card(
    path: Path | str,
    source: ModelSource,
    *,
    files: Sequence[Path] = (),
    names: bool = False,
    sounds: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write a model card in Markdown, with a head in YAML, and return its absolute path.

    `files` are those exported with it, `names` whether sound files are named, `sounds` whether training
    sounds travel.  Raises ExportError if it cannot be written, or is there and may not be overwritten.
    """
    text = model_card(source, files, names, sounds)
    return write_target(Path(path), text.encode("utf-8", "replace"), overwrite)


def model_card(source: ModelSource, files: Sequence[Path], names: bool, sounds: bool) -> str:
    """The text of a model card; see `write_card`."""
    holds_sounds = sounds and source.bundle.latents.sounds is not None
    sections = [
        _head(source),
        _summary(source),
        _sounds_section(source, names),
        _privacy(holds_sounds),
        _settings(source, names),
        _figures(source),
        _usage(source, files),
        _origin(source),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _head(source: ModelSource) -> str:
    licence = source.provenance.model_licence or "unknown"
    lines = ["---", f"license: {json.dumps(licence)}", "library_name: sda-tui", "tags:"]
    return "\n".join([*lines, *(f"- {tag}" for tag in TAGS), "---"])


def _summary(source: ModelSource) -> str:
    bundle = source.bundle
    duration_s = bundle.chunk_samples / bundle.spectrogram.sample_rate
    return (
        f"# {source.provenance.run}\n\n"
        f"A variational autoencoder of log-mel spectrograms (`{source.state['config']['model']}`, "
        f"{bundle.latents.means.shape[1]} latents), trained by sda-tui on a small folder of sounds.  It "
        f"makes mono sounds of {duration_s:g} s at {bundle.spectrogram.sample_rate} Hz.\n\n"
        f"- Licence of the model: {_or_unknown(source.provenance.model_licence)}\n"
        f"- Licence of the sounds it was trained on: {_or_unknown(source.provenance.sounds_licence)}"
    )


def _or_unknown(licence: str) -> str:
    return licence or "not stated; ask whoever trained it"


def _sounds_section(source: ModelSource, names: bool) -> str:
    figures = source.provenance.figures
    rows: list[tuple[str, float]] = [("chunks that its latents are of", len(source.bundle.latents.means))]
    rows += [
        (what, value)
        for what, name in (
            ("files", "files"),
            ("of these held out for validation", "held_out_files"),
            ("training chunks", "training_chunks"),
            ("held-out chunks", "held_out_chunks"),
            ("seconds in the training chunks", "training_duration_s"),
        )
        if (value := figures.get(name)) is not None
    ]
    text = "## Sounds\n\n" + _table(("", ""), rows)
    found = _sound_names(source) if names else []
    return text + ("\n\n" + "\n".join(f"- {_code(name)}" for name in found) if found else "")


def _sound_names(source: ModelSource) -> list[str]:
    """The files that the model was trained on, as far as they are known."""
    if source.run is not None:
        return sorted({excerpt.path for excerpt in source.run.read_manifest().split.train})
    origins = source.state["task"]["latents"].get("origins") or []
    return sorted({str(path) for each in origins if isinstance(each, dict) and (path := each.get("path"))})


def _privacy(holds_sounds: bool) -> str:
    if holds_sounds:
        return (
            "**A bundle or `.ts` file contains training sounds**, as spectrograms of 8 bits a value, for the "
            "detail of new sounds.  Who has such a file has these sounds, as the mel inversion gives them."
        )
    return "No training sounds are in these files; new sounds have no detail for that reason."


def _settings(source: ModelSource, names: bool) -> str:
    config, defaults = source.state["config"], TrainingConfig()
    rows = [
        (f"`{name}`", _code(setting.show(config[name])), _code(setting.show(getattr(defaults, name))))
        for name, setting in SETTINGS.items()
        if name in config and config[name] != getattr(defaults, name) and (names or setting.kind != "file")
    ]
    if not rows:
        return "## Settings\n\nAll settings have their defaults."
    return "## Settings that differ from the defaults\n\n" + _table(("setting", "here", "default"), rows)


def _figures(source: ModelSource) -> str:
    figures = source.provenance.figures
    rows = [
        (what, f"{value:.4g}")
        for name, what in SHOWN_FIGURES.items()
        if (value := figures.get(name)) is not None
    ]
    return "## Figures\n\n" + _table(("measure", "value"), rows) if rows else ""


def _usage(source: ModelSource, files: Sequence[Path]) -> str:
    found = [text for file in files if (text := _use_of(file, source))]
    return "## Files\n\n" + "\n\n".join(found) if found else ""


def _use_of(file: Path, source: ModelSource) -> str:
    name = printable(file.name)
    title = f"### `{name}`\n\n"
    bundle = source.bundle
    samples, spectrogram = bundle.chunk_samples, bundle.spectrogram
    shapes = f"[batch, 1, {spectrogram.n_mels}, {spectrogram.frames(samples)}]"
    if file.suffix == BUNDLE_SUFFIX:
        return title + (
            "Everything in one file, for sda-tui on any machine, in place of a run.  In Python:\n\n"
            "```python\nimport torch\nfrom core.synthesis import load_bundle\n\n"
            f'bundle = load_bundle("{name}")\n'
            "seeds = [torch.Generator().manual_seed(number) for number in range(4)]\n"
            "sounds = bundle.render(bundle.sample(4, seeds[0]), seeds)\n```"
        )
    if file.suffix in (ONNX_SUFFIX, PROGRAM_SUFFIX):
        opens = "onnxruntime" if file.suffix == ONNX_SUFFIX else "`torch.export.load`"
        if file.stem.endswith("encoder"):
            return title + (
                f"Opened by {opens}.  Takes `waveform` [batch, {samples}], mono at "
                f"{spectrogram.sample_rate} Hz and ±1 full scale, and gives `latent` "
                f"[batch, {bundle.latents.means.shape[1]}], the means of the "
                "posterior.  Level, spectrogram and normalisation are inside."
            )
        return title + (
            f"Opened by {opens}.  Takes `latent` and gives `log_mel` {shapes} and `mel_power`, the same as "
            f"power at the level of the dataset (n_fft {spectrogram.n_fft}, hop {spectrogram.hop_length}, "
            "Slaney's mel scale, filters with peak 1), for any mel inversion: in librosa "
            "`librosa.feature.inverse.mel_to_audio` with `htk=False, norm=None`."
        )
    if file.suffix == NN_SUFFIX:
        ratio = buffer_samples(samples)
        return title + (
            "For `nn~` in Max and Pure Data, and other hosts of such files.  Run the host at "
            f"{spectrogram.sample_rate} Hz; the buffer is {ratio} samples "
            f"({ratio / spectrogram.sample_rate:.2f} s), which is the latency.  Methods: `decode` (inlets "
            "are the strongest directions of the sounds, in standard deviations, the strongest first), "
            "`encode`, `forward` (sound through the model, a quarter of a buffer later) and `prior` (new "
            "sounds).  Attributes: `temperature`, `sound` (decode varies around this training sound; 0 is "
            "their mean), `detail`, `crossfade_ms` and `iterations` (of the inversion: more is better and "
            "slower)."
        )
    return ""


def _origin(source: ModelSource) -> str:
    provenance = source.provenance
    rows: list[tuple[Any, ...]] = [
        ("run", _code(provenance.run)),
        ("checkpoint", _code(provenance.checkpoint)),
        ("its SHA-256", _code(provenance.checkpoint_sha256)),
        ("epoch, step", f"{provenance.epoch}, {provenance.step}"),
    ]
    return "## Where it comes from\n\n" + _table(("", ""), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _code(text: str) -> str:
    """A text from elsewhere as Markdown that shows it as it is."""
    shown = printable(text).replace("`", "'")
    return f"`{shown}`" if shown else "empty"
