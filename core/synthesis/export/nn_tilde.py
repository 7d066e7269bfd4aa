"""A TorchScript file that nn~ opens: the model as an instrument in Max, Pure Data and SuperCollider.

nn~ calls methods with tensors [batch, channels, time / ratio] and wants the same length back.  A buffer has a
power of two of samples, and a chunk has not, so each buffer plays the first part of a chunk and fades into
the next one.  The model is traced, and only what surrounds it is scripted, as its modules cannot be.
TorchScript is deprecated since torch 2.11; it stays in this module, until hosts open something else.
"""

import io
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.audio.inversion import MelInverter
from core.config import SpectrogramConfig
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.directions import LatentDirections
from core.synthesis.export.facts import FACTS_FILE, network_facts
from core.synthesis.export.networks import Analysis, Leveling, fixed_copy
from core.synthesis.export.source import ModelSource
from core.synthesis.latents import COARSE, PARTNERS
from core.synthesis.sounds import LEVELS
from core.targets import check_target, write_target

SUFFIX = ".ts"
OVERLAP = 4  # a buffer has this many times the samples that are left for fading into the next one
ITERATIONS, MOST_ITERATIONS = 32, 64  # of the inversion; its fast quality for files has 64
CROSSFADE_MS = 20.0
LARGEST_TEMPERATURE = 4.0
INT, FLOAT = 1, 2  # how nn~ counts types


def buffer_samples(chunk_samples: int) -> int:
    """The largest power of two that fits into a chunk with its overlap."""
    return 1 << int(math.log2(chunk_samples * OVERLAP / (OVERLAP + 1)))


def write_nn_tilde(
    path: Path | str, source: ModelSource, *, sounds: bool = True, overwrite: bool = False
) -> Path:
    """Write a `.ts` file for nn~, and return its absolute path.

    The training sounds that are kept with the latents travel unless `sounds` is False: there is no detail
    then.  Raises ExportError if the file cannot be written, or is there and may not be overwritten.
    """
    check_target(Path(path), overwrite)
    facts = json.dumps(dict(network_facts(source)), indent=1)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated, and what a trace makes constant
        scripted = torch.jit.script(_instrument(source.bundle, sounds))
        torch.jit.save(scripted, buffer, _extra_files={FACTS_FILE: facts})
    return write_target(Path(path), buffer.getvalue(), overwrite)


def _instrument(bundle: ModelBundle, sounds: bool) -> "Instrument":
    samples, width = bundle.chunk_samples, bundle.latents.means.shape[1]
    waveform, latent = torch.zeros(2, samples), torch.zeros(2, width)
    network = _Network(bundle).eval()
    traced = _trace(network, {"gains": waveform, "encode": waveform, "decode": latent})
    inversion = _Inversion(bundle.spectrogram, samples).eval()
    log_mel = network.decode(latent)
    mel, magnitude, spectrum = inversion.start(log_mel)
    previous = torch.zeros_like(spectrum)
    traced_inversion = _trace(
        inversion,
        {
            "start": log_mel,
            "fit_phase": (spectrum, previous, magnitude),
            "fit_both": (spectrum, previous, mel),
            "finish": spectrum,
        },
    )
    return Instrument(bundle, traced, traced_inversion, bundle.directions, sounds).eval()


def _trace(module: nn.Module, examples: Mapping[str, Tensor | tuple[Tensor, ...]]) -> Any:
    """A module with these methods, traced with examples of their arguments, for any number of sounds."""
    return torch.jit.trace_module(module, dict(examples), check_trace=False)


class _Network(nn.Module):
    """What is traced of the model: the gain of each waveform, its latent, and the log-mel of a latent."""

    def __init__(self, bundle: ModelBundle) -> None:
        super().__init__()
        self.leveling = Leveling(bundle.level)
        self.analysis = Analysis(bundle.spectrogram)
        self.model = fixed_copy(bundle.model)

    def gains(self, waveform: Tensor) -> Tensor:
        return self.leveling.gains(waveform)

    def encode(self, levelled: Tensor) -> Tensor:
        mean, _ = self.model.encode(self.analysis(levelled))
        return mean

    def decode(self, latent: Tensor) -> Tensor:
        return self.model.decode(latent)


class _Inversion(nn.Module):
    """What is traced of the inversion: its parts, so that the number of iterations is open."""

    phase: Tensor

    def __init__(self, spectrogram: SpectrogramConfig, samples: int) -> None:
        super().__init__()
        self.inverter = MelInverter(spectrogram)
        self.samples = samples
        shape = (spectrogram.frames(samples), spectrogram.n_fft // 2 + 1)
        # The same for each buffer: what is held still sounds still.
        phase = torch.rand(shape, generator=generator(0, "nn~ phase")) * (2 * torch.pi)
        self.register_buffer("phase", phase)

    def start(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mel = self.inverter.mel_power(log_mel)
        magnitude = self.inverter.power_spectrum(mel).sqrt()
        return mel, magnitude, torch.polar(magnitude, self.phase.expand_as(magnitude))

    def fit_phase(self, spectrum: Tensor, previous: Tensor, magnitude: Tensor) -> tuple[Tensor, Tensor]:
        return self.inverter.iterate(spectrum, previous, self.samples, lambda _: magnitude)

    def fit_both(self, spectrum: Tensor, previous: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        return self.inverter.iterate(
            spectrum, previous, self.samples, lambda rebuilt: self.inverter.fitted_magnitude(rebuilt, mel)
        )

    def finish(self, spectrum: Tensor) -> Tensor:
        return self.inverter.inverse_stft(spectrum, self.samples)


class Instrument(nn.Module):
    """What nn~ sees.  Methods take and give [batch, channels, time / ratio]; `ratio` is samples a buffer.

    `decode`: coordinates along the strongest directions, in standard deviations, to sound; around the mean of
    the training sounds, or around one of them (attribute `sound`, 0 is the mean).  `encode`: sound to such
    coordinates.  `forward`: sound through the model.  `prior`: new sounds; its inlet adds to `temperature`.
    """

    mean: Tensor
    directions: Tensor
    projection: Tensor
    means: Tensor
    neighbours: Tensor
    deviation: Tensor
    levels: Tensor
    level_steps: Tensor
    tail: Tensor
    history: Tensor

    def __init__(
        self, bundle: ModelBundle, network: Any, inversion: Any, found: LatentDirections, sounds: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.inversion = inversion
        self.chunk_samples = bundle.chunk_samples
        self.ratio = buffer_samples(bundle.chunk_samples)
        self.overlap = self.ratio // OVERLAP
        self.level_gain = bundle.level.gain
        self.largest_log_mel = bundle.spectrogram.largest_log_mel
        self.bandwidth = bundle.latents.bandwidth
        self.largest_temperature = LARGEST_TEMPERATURE
        self.most_iterations = MOST_ITERATIONS
        self.coarse = COARSE
        self.partners = PARTNERS
        for name, tensor in found._asdict().items():
            self.register_buffer(name, tensor)
        self.register_buffer("means", bundle.latents.means)
        self.register_buffer("neighbours", bundle.latents.neighbours)
        self.register_buffer("deviation", bundle.latents.deviation)
        kept = bundle.latents.sounds if sounds else None
        self.has_sounds = kept is not None
        self.register_buffer("levels", kept.levels if kept else torch.zeros(0, 1, 1, dtype=torch.uint8))
        self.register_buffer("level_steps", kept.largest / LEVELS if kept else torch.zeros(0))
        self.register_buffer("tail", torch.zeros(1, self.overlap))  # of the chunk before
        self.register_buffer("history", torch.zeros(1, self.chunk_samples))  # of the input

        self.temperature = 1.0
        self.detail = bundle.detail if self.has_sounds else 0.0
        self.sound = 0
        self.crossfade_ms = CROSSFADE_MS
        self.iterations = ITERATIONS
        self.attributes = ["temperature", "sound", "crossfade_ms", "iterations"]
        self.attributes += ["detail"] if self.has_sounds else []
        for name in ("temperature", "crossfade_ms", "detail"):
            self.register_buffer(f"{name}_params", torch.tensor([FLOAT]))
        for name in ("sound", "iterations"):
            self.register_buffer(f"{name}_params", torch.tensor([INT]))

        rate, count = bundle.spectrogram.sample_rate, len(found.directions)
        self.sr = rate
        self.register_buffer("sampling_rate", torch.tensor(rate))
        self.register_buffer("latent_size", torch.tensor(count))
        coordinates = [f"(signal) direction {1 + number}, in deviations" for number in range(count)]
        self.methods: list[str] = []
        self._register("decode", coordinates, self.ratio, ["(signal) sound"], 1)
        self._register("encode", ["(signal) sound"], 1, coordinates, self.ratio)
        self._register("forward", ["(signal) sound"], 1, ["(signal) sound"], 1)
        self._register("prior", ["(signal) temperature, added"], self.ratio, ["(signal) sound"], 1)

    def _register(
        self, method: str, inputs: list[str], input_ratio: int, outputs: list[str], output_ratio: int
    ) -> None:
        self.methods.append(method)
        params = [len(inputs), input_ratio, len(outputs), output_ratio]
        self.register_buffer(f"{method}_params", torch.tensor(params))
        setattr(self, f"{method}_input_labels", inputs)
        setattr(self, f"{method}_output_labels", outputs)

    # -- methods ----------------------------------------------------------------------------------------

    @torch.jit.export
    def decode(self, coordinates: Tensor) -> Tensor:
        played: list[Tensor] = []
        batch = coordinates.shape[0]
        for frame in range(coordinates.shape[2]):
            latent = self.mean.expand(batch, -1)
            if self.sound > 0:
                latent = self.means[self.sound - 1].expand(batch, -1)
            log_mel = self.network.decode(latent + coordinates[:, :, frame] @ self.directions)
            if self.sound > 0:
                log_mel = self.with_detail(log_mel, torch.full([batch], self.sound - 1))
            played.append(self.play(self.invert(log_mel) / self.level_gain, 0))
        return torch.cat(played, dim=2)

    @torch.jit.export
    def encode(self, sound: Tensor) -> Tensor:
        found: list[Tensor] = []
        for number in range(self.whole_buffers(sound)):
            self.listen(sound, number)
            levelled = self.history * self.network.gains(self.history)
            coordinates = (self.network.encode(levelled) - self.mean) @ self.projection
            found.append(coordinates.unsqueeze(2))
        return torch.cat(found, dim=2)

    @torch.jit.export
    def forward(self, sound: Tensor) -> Tensor:
        played: list[Tensor] = []
        start = self.chunk_samples - self.ratio - self.overlap
        for number in range(self.whole_buffers(sound)):
            self.listen(sound, number)
            gains = self.network.gains(self.history)
            log_mel = self.network.decode(self.network.encode(self.history * gains))
            played.append(self.play(self.invert(log_mel) / gains, start))
        return torch.cat(played, dim=2)

    @torch.jit.export
    def prior(self, warmth: Tensor) -> Tensor:
        played: list[Tensor] = []
        for frame in range(warmth.shape[2]):
            temperature = (self.temperature + warmth[:, :, frame]).clamp(0.0, self.largest_temperature)
            latent, partners = self.draw(temperature)
            log_mel = self.with_detail(self.network.decode(latent), partners)
            played.append(self.play(self.invert(log_mel) / self.level_gain, 0))
        return torch.cat(played, dim=2)

    # -- parts of them ----------------------------------------------------------------------------------

    def draw(self, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """As `LatentDistribution.draw`, at a temperature [batch, 1]: latents, and whose detail they have."""
        batch = temperature.shape[0]
        chunks, kernel = self.neighbours.shape[0], self.neighbours.shape[1]
        sources = torch.randint(chunks, [batch])
        others = torch.zeros([batch], dtype=torch.int64)
        if kernel > 1:
            others = 1 + torch.randint(min(kernel - 1, self.partners), [batch])
        around = self.means[self.neighbours[sources]]
        weights = torch.randn([batch, 1, kernel])
        step = (weights @ (around - around.mean(1, keepdim=True))).squeeze(1) / kernel**0.5
        noise = torch.randn([batch, self.means.shape[1]]) * self.deviation
        varied = self.means[sources] + temperature * (self.bandwidth * step + noise)
        partners = self.neighbours[sources, others]
        latent = torch.cat([varied[:, : self.coarse], self.means[partners][:, self.coarse :]], dim=1)
        return latent, partners

    def with_detail(self, log_mel: Tensor, sounds: Tensor) -> Tensor:
        """A log-mel with what decoding leaves out of these training sounds [batch], `detail` times."""
        if not self.has_sounds or self.detail == 0.0:
            return log_mel
        kept = self.levels[sounds] * self.level_steps[sounds].view(-1, 1, 1)
        decoded: Tensor = self.network.decode(self.means[sounds])
        return log_mel + self.detail * (kept.unsqueeze(1) - decoded)

    def invert(self, log_mel: Tensor) -> Tensor:
        """Log-mel [batch, 1, mels, frames] to sound [batch, chunk_samples], three quarters of the iterations
        for the phase alone, as the inversion of files."""
        audible = log_mel.nan_to_num().clamp(0.0, self.largest_log_mel)
        mel, magnitude, spectrum = self.inversion.start(audible)
        both = self.iterations // 4
        previous = torch.zeros_like(spectrum)
        for _ in range(self.iterations - both):
            spectrum, previous = self.inversion.fit_phase(spectrum, previous, magnitude)
        previous = torch.zeros_like(spectrum)
        for _ in range(both):
            spectrum, previous = self.inversion.fit_both(spectrum, previous, mel)
        sound: Tensor = self.inversion.finish(spectrum)
        return sound

    def play(self, chunk: Tensor, start: int) -> Tensor:
        """A buffer [batch, 1, ratio] of a chunk [batch, chunk_samples], faded into from the chunk before.

        A chunk beyond full scale is brought down to it: decoded from far outside the training sounds, one may
        be 30 times as loud, which nobody's ears should meet.
        """
        batch = chunk.shape[0]
        chunk = chunk / chunk.abs().amax(1, keepdim=True).clamp_min(1.0)
        if self.tail.shape[0] != batch:
            self.tail = torch.zeros([batch, self.overlap], device=chunk.device)
        length = min(self.overlap, max(1, int(self.crossfade_ms * self.sr / 1000.0)))
        angle = (torch.arange(length, device=chunk.device) + 0.5) * (math.pi / 2 / length)
        played = chunk[:, start : start + self.ratio].clone()
        played[:, :length] = played[:, :length] * angle.sin() + self.tail[:, :length] * angle.cos()
        self.tail = chunk[:, start + self.ratio : start + self.ratio + self.overlap].clone()
        return played.unsqueeze(1)

    def whole_buffers(self, sound: Tensor) -> int:
        """The number of whole buffers in a sound [batch, 1, samples].  Raises ValueError for parts of one."""
        if sound.shape[2] % self.ratio != 0:
            raise ValueError("the buffer size must be a multiple of the model's ratio")
        return sound.shape[2] // self.ratio

    def listen(self, sound: Tensor, number: int) -> None:
        """Move the history of the input on by one buffer."""
        if self.history.shape[0] != sound.shape[0]:
            self.history = torch.zeros([sound.shape[0], self.chunk_samples], device=sound.device)
        new = sound[:, 0, number * self.ratio : (number + 1) * self.ratio]
        self.history = torch.cat([self.history, new], dim=1)[:, -self.chunk_samples :]

    # -- attributes: getters give a list, as newer hosts want it ----------------------------------------

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return self.methods

    @torch.jit.export
    def get_attributes(self) -> list[str]:
        return self.attributes

    @torch.jit.export
    def get_temperature(self) -> list[float]:
        return [self.temperature]

    @torch.jit.export
    def set_temperature(self, value: float) -> int:
        self.temperature = min(max(value, 0.0), self.largest_temperature)
        return 0

    @torch.jit.export
    def get_detail(self) -> list[float]:
        return [self.detail]

    @torch.jit.export
    def set_detail(self, value: float) -> int:
        self.detail = min(max(value, 0.0), 1.0)
        return 0

    @torch.jit.export
    def get_sound(self) -> list[int]:
        return [self.sound]

    @torch.jit.export
    def set_sound(self, value: int) -> int:
        self.sound = min(max(value, 0), self.means.shape[0])
        return 0

    @torch.jit.export
    def get_crossfade_ms(self) -> list[float]:
        return [self.crossfade_ms]

    @torch.jit.export
    def set_crossfade_ms(self, value: float) -> int:
        self.crossfade_ms = min(max(value, 0.0), 1000.0 * self.overlap / self.sr)
        return 0

    @torch.jit.export
    def get_iterations(self) -> list[int]:
        return [self.iterations]

    @torch.jit.export
    def set_iterations(self, value: int) -> int:
        self.iterations = min(max(value, 4), self.most_iterations)
        return 0
