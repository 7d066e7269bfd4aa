"""Making sounds with a trained model: new ones, variations, journeys and morphs, as files."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.audio.output import SoundWriter, Written
from core.audio.reader import Samples
from core.checkpoints.folder import find_model_file
from core.config import MakingRequest, OutputSettings
from core.device import is_out_of_memory
from core.disk import explain_write_error
from core.errors import Cancelled, CheckpointError, ConfigError, OutputError
from core.files import link_refusal
from core.paths import expand, is_file
from core.runs import generated_folder
from core.runs.checkpoints import BEST
from core.runs.generated import (
    PROVENANCE_FILE,
    append_provenance,
    hash_file,
    newest_provenance,
    prepare_provenance,
)
from core.seeding import generator
from core.synthesis.bundle import load_bundle
from core.synthesis.encoded import EncodedSound
from core.synthesis.latents import LARGEST_LATENT
from core.synthesis.plan import LongSound, ShortSound, Sound, plan, resolve_seed
from core.synthesis.sources import describe_request
from core.synthesis.space import LatentMap, LatentSpace
from core.text import printable

GPU_BATCH = 16  # always as many, so that a sound does not depend on how many others are made
SOUNDS_PER_THREAD = 4  # that are rendered on a CPU before they are written
FILE_SUFFIXES = {".wav", ".flac"}
OTHER_SUFFIXES = {".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".caf"}


@dataclass(frozen=True)
class MakingProgress:
    """How much is done, in sounds or, of a long one, in seconds."""

    done: int
    total: int
    unit: str


@dataclass(frozen=True)
class Made:
    """A sound that was written, and what the provenance file says about it."""

    path: Path
    duration_s: float
    record: Mapping[str, Any]


@dataclass(frozen=True)
class _Rendered:
    """A sound in blocks of samples, which may be rendered as they are asked for."""

    sound: Sound
    blocks: Iterable[Samples]
    encoded: EncodedSound | None = None


class Maker:
    """Makes sounds with one model, beside any run that trains.

    Where a device has too little memory, the CPU takes its place, and `notify` gets a sentence about it.
    Raises as `load_bundle` does.
    """

    def __init__(
        self,
        model: Path,
        which: str | int = "best",
        device: str | None = None,
        notify: Callable[[str], object] = lambda _: None,
        progress: Callable[[MakingProgress], object] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._model, self._which = expand(model), which
        self._notify = notify
        self._progress = progress
        self._cancelled = cancelled
        if is_file(self._model) and which != BEST:
            name = printable(self._model.name)
            raise ConfigError(f"{name} is a file already; name a run, or no checkpoint.")
        self._file = _identify(find_model_file(self._model, which))
        try:
            self.bundle = load_bundle(self._model, which, device)
        except (RuntimeError, MemoryError) as error:
            self._fall_back(error, device)

    @property
    def is_current(self) -> bool:
        """Whether the checkpoint that it took is still the one that would be taken."""
        try:
            return _identify(find_model_file(self._model, self._which)) == self._file
        except (CheckpointError, OSError):
            return True

    def map_space(self) -> LatentMap:
        """Where the training sounds, and the sounds made from this model, lie in the latent space."""
        latent_dim = self.bundle.latents.means.shape[1]
        made = [
            [float(value) for value in record["latent"]]
            for record in newest_provenance(generated_folder(self._model))
            if _is_latent(record.get("latent"), latent_dim)
        ]
        return LatentSpace(self.bundle).describe(torch.tensor(made).view(len(made), latent_dim))

    def make(
        self,
        request: MakingRequest,
        output: OutputSettings,
        to: Path | None = None,
        is_replacing: bool = False,
    ) -> Iterator[Made]:
        """Make the sounds, in a folder or, if it is one sound, under the name of a file; yield each.

        Files are replaced only if `is_replacing`.  Raises SourceError, OutputError, OSError, and Cancelled
        within a few iterations; what is written by then stays.
        """
        folder, name = self._destination(to)
        request = resolve_seed(request, folder)
        writer = SoundWriter(output, self.bundle.spectrogram.sample_rate, is_replacing)
        described = {**describe_request(request, self._cancelled), "output": output.values()}
        done = 0
        while True:
            try:
                sounds = plan(self.bundle, request, self._cancelled, self._notify)
                paths = _name(sounds, folder, name or None, writer.suffix)
                for path in paths[done:]:
                    writer.require_free(path)
                _prepare(folder)
                for rendered, path in zip(self._render(sounds, done, output), paths[done:], strict=True):
                    written = writer.write(path, rendered.blocks)
                    if written.duration_s:
                        record = {**self._describe(rendered, path, written), **described}
                        with _named(folder / PROVENANCE_FILE):
                            append_provenance(folder, record)
                        done += 1
                        yield Made(path, written.duration_s, record)
                    if written.is_cut_short or self._cancelled():
                        raise Cancelled
                return
            except (RuntimeError, MemoryError) as error:
                self._fall_back(error, str(self.bundle.device))

    def _destination(self, to: Path | None) -> tuple[Path, str]:
        """The folder, and the name of the file if one is given."""
        if to is None:
            folder = generated_folder(self._model)
            if folder.is_symlink():
                raise link_refusal(folder)
            return folder, ""
        folder = expand(to).resolve()
        suffix = "" if folder.is_dir() else folder.suffix.lower()
        if suffix in OTHER_SUFFIXES:
            raise OutputError(f"{printable(folder.name)} cannot be written: sounds are WAV or FLAC.")
        return (folder.parent, folder.name) if suffix in FILE_SUFFIXES else (folder, "")

    def _fall_back(self, error: RuntimeError | MemoryError, device: str | None) -> None:
        if not is_out_of_memory(error) or device == "cpu":
            raise error
        self._notify(f"{device or 'The device'} has too little free memory; the CPU is used instead.")
        self.bundle = load_bundle(self._model, self._which, "cpu")

    def _render(self, sounds: Sequence[Sound], done: int, output: OutputSettings) -> Iterator[_Rendered]:
        """The sounds after those that are done, in order."""
        short = [sound for sound in sounds[done:] if isinstance(sound, ShortSound)]
        is_gpu = self.bundle.device.type == "cuda"
        size = GPU_BATCH if is_gpu else SOUNDS_PER_THREAD * torch.get_num_threads()
        for first in range(0, len(short), size):
            yield from self._render_short(short[first : first + size], size, output.quality)
            self._progress(MakingProgress(done + min(first + size, len(short)), len(sounds), "sounds"))
        lengths = [sound.samples for sound in sounds if isinstance(sound, LongSound)]
        for number, sound in enumerate(sounds[done:], done):
            if isinstance(sound, LongSound):
                before, total = sum(lengths[:number]), sum(lengths)
                yield _Rendered(sound, self._render_long(sound, output.quality, before, total))

    def _render_short(self, sounds: Sequence[ShortSound], size: int, quality: str) -> Iterator[_Rendered]:
        bundle = self.bundle
        encoded = [sound.encode() for sound in sounds]
        draws = [generator(sound.seed, "phase", sound.number) for sound in sounds]
        log_mel = torch.cat([each.log_mel(bundle) for each in encoded])  # [sounds, 1, mels, frames]
        if bundle.device.type == "cuda":
            missing = size - len(sounds)
            log_mel = torch.cat([log_mel, log_mel[-1:].expand(missing, -1, -1, -1)])
            draws += [generator(0, "padding", number) for number in range(missing)]
        waveforms = bundle.render(log_mel, draws, quality, self._cancelled)[: len(sounds)]
        for sound, each, samples in zip(sounds, encoded, waveforms, strict=True):
            yield _Rendered(sound, [samples[: sound.length_samples or each.length_samples]], each)

    def _render_long(self, sound: LongSound, quality: str, before: int, total: int) -> Iterator[Samples]:
        """`before` of all `total` samples of long sounds are there already."""
        bundle, left = self.bundle, sound.samples
        rate = bundle.spectrogram.sample_rate
        draws = generator(sound.seed, "phase", sound.number)
        for block in bundle.render_long(sound.pieces(), draws, quality, self._cancelled):
            yield block[:left] / np.float32(sound.gain)
            left = max(0, left - len(block))
            done = before + sound.samples - left
            self._progress(MakingProgress(round(done / rate), round(total / rate), "s"))
            if not left:
                return

    def _describe(self, rendered: _Rendered, path: Path, written: Written) -> dict[str, Any]:
        provenance, sound = self.bundle.provenance, rendered.sound
        about: dict[str, Any] = {
            "file": path.name,
            "sound": sound.name,
            "time": time.time(),
            "run": provenance.run,
            "checkpoint": provenance.checkpoint,
            "checkpoint_sha256": provenance.checkpoint_sha256,
            "epoch": provenance.epoch,
            "step": provenance.step,
            "device": str(self.bundle.device),
            "number": sound.number,
            "seed": sound.seed,
            "duration_s": written.duration_s,
            "cut_short": written.is_cut_short,
            "sha256": hash_file(path),
            "has_sounds": self.bundle.latents.sounds is not None,
        }
        encoded = rendered.encoded
        if encoded is not None:
            near = {"near": encoded.near, "source": encoded.source, "partner": encoded.partner}
            about |= {
                what: {"number": 1 + index, "path": self.bundle.origin(index).path}
                for what, index in near.items()
                if index is not None
            }
            about["latent"] = [float(f"{value:.9g}") for value in encoded.latent[0].tolist()]
        return about


def _is_latent(value: object, latent_dim: int) -> bool:
    """Whether a value in a provenance line is a latent of the model."""
    return (
        isinstance(value, list)
        and len(value) == latent_dim
        and all(type(each) is float and abs(each) <= LARGEST_LATENT for each in value)
    )


def _identify(file: Path) -> tuple[Path, int, int]:
    """A file as it is now."""
    status = file.stat()
    return file, status.st_ino, status.st_mtime_ns


def _prepare(folder: Path) -> None:
    """Make the folder if need be, and see that both kinds of files can be written.  Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{printable(str(folder))} is a file; choose a folder.") from None
    except OSError as error:
        shown = printable(str(folder))
        raise OutputError(f"The folder {shown} cannot be made {explain_write_error(error)}.") from error
    with _named(folder / PROVENANCE_FILE):
        prepare_provenance(folder)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn an OSError into an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        why = explain_write_error(error)
        raise OutputError(f"{printable(str(path))} cannot be written {why}.") from error


def _name(sounds: Sequence[Sound], folder: Path, name: str | None, suffix: str) -> list[Path]:
    """Where the sounds are written; under `name` if one is given."""
    if name is None:
        assert len({sound.name for sound in sounds}) == len(sounds)
        return [folder / (sound.name + suffix) for sound in sounds]
    if len(sounds) > 1:
        raise OutputError(f"{printable(name)} names one file for {len(sounds)} sounds; choose a folder.")
    if Path(name).suffix.lower() != suffix:
        raise OutputError(f"{printable(name)} would hold another format; call it {suffix}, or change that.")
    return [folder / name for _ in sounds]
