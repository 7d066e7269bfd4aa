"""A trained model ready for use: everything to make sound, without the dataset, the trainer or a live run."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from core.audio.levels import LARGEST_GAIN, Level
from core.audio.reader import LOUDEST_PEAK, Samples
from core.audio.spectrogram import LogMelSpectrogram
from core.checkpoints.archive import FORMAT_VERSION
from core.checkpoints.bundle_file import BundleContent, Provenance, read_model
from core.checkpoints.folder import find_model_file
from core.config import ResolvedConfig, SpectrogramConfig
from core.device import choose_device, is_out_of_memory
from core.errors import CheckpointError, ConfigError
from core.model import VAE, build_model
from core.paths import expand
from core.synthesis.directions import LatentDirections, strongest_directions
from core.synthesis.latents import Drawn, LatentDistribution
from core.synthesis.refine import STEPS, refine_latents
from core.synthesis.render import SoundRenderer, audible, stream_renderer
from core.synthesis.sounds import Origin
from core.text import first_line, printable
from core.threads import use_threads

RECONSTRUCTED_DETAIL = 0.5  # all of it is nearer to real sounds as a set, but further from the given one


UNKNOWN = Provenance("", "", "", 0, 0)


@dataclass(frozen=True)
class ModelBundle:
    """The EMA model of a checkpoint, its spectrogram and latent distribution, and the level of its sounds.

    `chunk_samples` is the length of the sounds that it encodes and decodes.  `level` brings a sound at ±1
    full scale to the level that the model was trained at.  `detail` is how much sounds get of what the
    decoder leaves out, 0 to 1, if the training sounds are kept with the latents.
    """

    model: VAE
    spectrogram: SpectrogramConfig
    latents: LatentDistribution
    chunk_samples: int
    level: Level = field(default_factory=Level)
    detail: float = 0.0
    provenance: Provenance = UNKNOWN

    @property
    def device(self) -> torch.device:
        return self.model.band_mean.device

    def log_mel(self, waveform: Tensor) -> Tensor:
        """Sounds [batch, chunk_samples] at ±1 full scale to log-mel spectrograms [batch, 1, mels, frames].

        Raises ValueError for sounds of another length.
        """
        if waveform.shape[1:] != (self.chunk_samples,):
            raise ValueError(f"sounds must be [batch, {self.chunk_samples}], not {list(waveform.shape)}")
        waveform = waveform.to(self.device)
        gains = [[self.level.gain_of_foreign(peak)] for peak in waveform.abs().amax(1).tolist()]
        log_mel: Tensor = self._analysis(waveform * torch.tensor(gains, device=self.device))
        return log_mel

    def encode(
        self, log_mel: Tensor, steps: int = STEPS, cancelled: Callable[[], bool] = lambda: False
    ) -> Tensor:
        """Log-mel spectrograms [batch, 1, mels, frames] to their latents [batch, latent].

        The encoder's answer, refined by so many gradient steps.  Raises Cancelled between steps.
        """
        with torch.backends.cudnn.flags(benchmark=False, deterministic=True):  # the same latents each time
            return refine_latents(self.model, log_mel.to(self.device), steps, cancelled=cancelled)

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """New latents [count, latent], each near a training sound, and which one."""
        return self.latents.draw(count, generator)

    def decode(self, latent: Tensor, residual: Tensor | None = None) -> Tensor:
        """Latents [batch, latent] to log-mel spectrograms [batch, 1, mels, frames] that can be rendered.

        `residual` is added to what they decode to; see `residual_of`.
        """
        decoded = self._decode(latent)
        return audible(decoded if residual is None else decoded + residual, self.spectrogram)

    def residual_of(self, log_mel: Tensor, latent: Tensor) -> Tensor:
        """What decoding the latents [batch, latent] leaves out of spectrograms [batch, 1, mels, frames]."""
        return log_mel.to(self.device) - self._decode(latent)

    def reconstruct(self, log_mel: Tensor, latent: Tensor) -> Tensor:
        """Log-mel spectrograms [batch, 1, mels, frames] as their latents decode, ready to be rendered.

        They get `detail` times half of what decoding leaves out of the training sound nearest to each:
        texture like theirs, which no decoder can predict.
        """
        residual = None
        if self.detail > 0 and self.latents.sounds is not None:
            nearest = self.latents.sounds.nearest(log_mel.to(self.device))
            residual = RECONSTRUCTED_DETAIL * self.detail * self.residuals(nearest)
        return self.decode(latent, residual)

    def sample(self, count: int, generator: torch.Generator, detail: float | None = None) -> Tensor:
        """New log-mel spectrograms [count, 1, mels, frames] that can be rendered, each near a training sound.

        They are what the drawn latents decode to, and `detail` (None: the bundle's) times what decoding
        leaves out of the sound whose fine latents they have: with 1 they are as sharp as training sounds.
        """
        return self.decode_drawn(self.draw(count, generator), detail)

    def decode_drawn(self, drawn: Drawn, detail: float | None = None) -> Tensor:
        """What `sample` makes of latents that were drawn."""
        amount = self.detail if detail is None else detail
        residual = None
        if amount > 0 and self.latents.sounds is not None:
            residual = amount * self.residuals(drawn.partners)
        return self.decode(drawn.latents, residual)

    def residuals(self, sources: Tensor) -> Tensor:
        """What decoding leaves out of some training sounds [batch], [batch, 1, mels, frames].

        Raises ValueError if they are not kept.
        """
        if self.latents.sounds is None:
            raise ValueError("the training sounds are not kept with this model")
        return self.residual_of(self.latents.sounds.log_mel(sources), self.latents.means[sources])

    def origin(self, sound: int) -> Origin:
        """Where a training sound comes from; what an older checkpoint does not say is read off the sound."""
        if self.latents.origins:
            return self.latents.origins[sound]
        kept = self.latents.sounds
        frames = kept.length_frames(sound) if kept is not None else self.chunk_samples
        return Origin("", min(self.chunk_samples, max(1, frames * self.spectrogram.hop_length)))

    def nearest_path(self, log_mel: Tensor) -> str:
        """The file of the training sound nearest to a spectrogram [1, 1, mels, frames], if it is known."""
        kept = self.latents.sounds
        return self.origin(int(kept.nearest(log_mel))).path if kept is not None else ""

    @torch.no_grad()
    def _decode(self, latent: Tensor) -> Tensor:
        return self.model.eval().decode(latent.to(self.device))

    def render(
        self,
        log_mel: Tensor,
        generators: Sequence[torch.Generator],
        quality: str = "fast",
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Samples]:
        """Log-mel spectrograms [batch, 1, mels, frames] to sounds of [chunk_samples].

        They are at the level of the dataset before its gain; with `level=file` the peak is near -1 dBFS.

        `generators`, one for each sound, draw the first phases.  Raises Cancelled within a few iterations.
        """
        renderer = SoundRenderer(self.spectrogram, quality, self.device, self.level.gain)
        return renderer(log_mel, self.chunk_samples, generators, cancelled)

    def render_long(
        self,
        pieces: Iterable[Tensor],
        draws: torch.Generator,
        quality: str = "fast",
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Samples]:
        """A log-mel spectrogram in pieces [mels, any] to blocks of samples, in bounded memory.

        They are at the level of training.  Raises Cancelled within a few iterations.
        """
        return stream_renderer(self.spectrogram, quality, self.device, draws)(pieces, cancelled)

    def state_dict(self) -> dict[str, Any]:
        """What differs between two bundles of one run: weights, latents and gain."""
        latents = self.latents.state_dict()
        return {"model": self.model.state_dict(), "latents": latents, "gain": self.level.gain}

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any],
        config: ResolvedConfig,
        spectrogram: SpectrogramConfig,
        device: torch.device,
        provenance: Provenance = UNKNOWN,
    ) -> Self:
        """Read what `state_dict` gave, for a run with this configuration.

        Raises AttributeError, KeyError, RuntimeError, TypeError or ValueError if it does not fit.
        """
        network = config.model_config(spectrogram)
        if network.parameter_count > sum(each.numel() for each in state["model"].values()):
            raise ValueError("it has fewer weights than its settings say")  # before there is memory for them
        model = build_model(network, device)
        model.load_state_dict(state["model"])
        latents = LatentDistribution.from_state(state["latents"], device)
        if latents.means.shape[1] != config.latent_dim:
            raise ValueError("its latents are not of this model")
        gain = float(state["gain"])
        if not 1 / LOUDEST_PEAK / 2 < gain <= LARGEST_GAIN:
            raise ValueError(f"its gain is {gain}")
        level = Level(config.level, gain)
        shape = (spectrogram.n_mels, model.config.n_frames)
        if latents.sounds is not None and latents.sounds.levels.shape[1:] != shape:
            raise ValueError("its training sounds are not of this model")
        samples = config.chunk_samples(spectrogram)
        return cls(model.eval(), spectrogram, latents, samples, level, config.detail, provenance)

    @cached_property
    def directions(self) -> LatentDirections:
        """Those in the latent space along which the training sounds differ most; takes seconds, once."""
        return strongest_directions(self.latents.means, self.decode)

    @cached_property
    def _analysis(self) -> LogMelSpectrogram:
        return LogMelSpectrogram(self.spectrogram).to(self.device)


def load_bundle(path: Path | str, which: str | int = "best", device: str | None = "cpu") -> ModelBundle:
    """The model of a run directory, a checkpoint file or a bundle file, ready to encode, draw and render.

    `which` chooses the checkpoint of a run: best (lowest validation loss; the newest while there is none),
    newest, or the number of a step.  `device` None is the best there is.
    Its latents are those of the last validation or preview before it.  On a CPU torch computes from now on
    with as many threads as the run did, since they decide how sums are rounded.

    Raises CheckpointError if there is none such, or it cannot be used; ConfigError for an unknown device.
    """
    where = choose_device(device)
    file = find_model_file(expand(Path(path)), which)
    content = read_model(file)
    use_threads(where, content.state.get("threads"))
    return bundle_of(content, printable(file.name), where)


def bundle_of(content: BundleContent, name: str, device: torch.device) -> ModelBundle:
    """The model in a checkpoint or bundle file of this name.  Raises CheckpointError."""
    state, provenance = content
    task = state.get("task")
    if not isinstance(task, Mapping) or task.get("latents") is None:
        why = ", as older versions wrote none" if state.get("format_version") != FORMAT_VERSION else ""
        raise CheckpointError(
            f"{name} has no latent distribution{why}; train the run further, and take its newest checkpoint."
        )
    try:
        config = ResolvedConfig.from_dict(state["config"])
        spectrogram = SpectrogramConfig.from_dict(state["spectrogram"])
        if spectrogram != config.spectrogram:
            raise ValueError("its spectrogram is not the one that this program computes")
        parts = {"model": state["ema_model"], **task}
        return ModelBundle.from_state(parts, config, spectrogram, device, provenance)
    except (AttributeError, ConfigError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        raise CheckpointError(
            f"{name} holds no model that this version can use ({first_line(error)})."
        ) from error
