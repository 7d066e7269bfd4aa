"""Training a variational autoencoder of log-mel spectrograms."""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from core.device import has_bfloat16, to_device
from core.diagnostics.evaluation import blur_warning, evaluate, file_errors
from core.diagnostics.latent_usage import collapse_warning, spare_warning
from core.diagnostics.memorisation import memorisation_warning, nearness
from core.diagnostics.sameness import diversity, sameness_warning
from core.errors import Cancelled
from core.events import PreviewReady, WarningKind
from core.model import VAE, copy_model
from core.model.losses import active_dimensions, gaussian_kl, losses
from core.model.reconstruction import Reconstruction, reconstruct
from core.optim.groups import ParameterGroup
from core.optim.schedules import kl_weight
from core.runs import FILE_ERRORS, RunManifest
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.latents import LatentDistribution, Neighbourhoods, find_neighbourhoods, fit_latents
from core.synthesis.previews import PreviewRenderer
from core.synthesis.sounds import TrainingSounds
from core.training.setup import TrainingSetup, build_setup
from core.training.task import IsActive, Messages, SetupContext, TaskLoss, Validation

logger = logging.getLogger(__name__)

JUDGED_SOUNDS = 64  # new ones, at each preview
MOST_FILES = 1000  # whose errors are reported: bounds an event's line
EARLY = 0.2  # of the run: until then the sounds of some models are blurred, and all alike


class VaeTask:
    """Reconstruction of log-mel spectrograms through a Gaussian latent: see `core.model.losses`.

    What the EMA model makes of the two fixed sets is kept until the next step, since validation and previews
    both need it.  The latents of the training set, which every checkpoint holds, are those of the last
    validation or preview: to fit them for each checkpoint would keep a cancel waiting.
    """

    def __init__(self, setup: TrainingSetup, manifest: RunManifest, cancelled: Callable[[], bool]) -> None:
        self.model = setup.model
        self.device = setup.validation_set.device
        self.setup_warnings = setup.warnings
        self._setup = setup
        self._manifest = manifest
        self._config = manifest.config
        self._cancelled = cancelled
        self._autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))
        self._training: Reconstruction | None = None  # by the EMA model, as is the next
        self._validation: Reconstruction | None = None
        self._latents: LatentDistribution | None = None

    @classmethod
    def set_up(cls, context: SetupContext) -> "VaeTask":
        """Decode the sounds and build the model.  Raises as `build_setup` does."""
        return cls(build_setup(context), context.manifest, context.cancelled)

    @property
    def memory_advice(self) -> str:
        config = self._config
        return (
            f"one chunk of {config.chunk_duration_s:g} s with {config.latent_dim} latent dimensions; "
            "choose a smaller chunk_duration_s, width or mel_bands, or another device"
        )

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return self.model.parameter_groups()

    # -- steps ------------------------------------------------------------------------------------------

    def schedule(self, step: int) -> Mapping[str, float]:
        return {"kl_weight": kl_weight(self._config, step, self._manifest.total_steps)}

    def batch(self, step: int, size: int) -> tuple[Tensor, ...]:
        """Log-mel spectrograms [batch, 1, mels, frames] and the noise of the posterior [batch, latent]."""
        draws = generator(self._config.seed, "posterior", step)
        noise = torch.randn(size, self._config.latent_dim, generator=draws)
        return self._setup.batches.batch(step, size), to_device(noise, self.device)

    def weights_change(self) -> None:
        self._training = self._validation = None

    def step(self, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        log_mel, noise = batch
        config = self._config
        with self._autocast:
            output = self.model(log_mel, noise)
        squared_error = (output.reconstruction - log_mel).square().mean() / self.model.scale.square()
        kl = gaussian_kl(output.mean, output.log_variance)
        found = losses(
            config.loss, squared_error, kl, log_mel[0].numel(), schedule["kl_weight"], config.free_bits
        )
        return TaskLoss(found.total, {"reconstruction_loss": found.reconstruction, "kl_loss": found.kl})

    # -- ends of epochs ---------------------------------------------------------------------------------

    def validate(self, model: VAE, epoch: int, is_active: IsActive) -> Validation:
        """Root-mean-square errors of log-mel in natural-log units; KL divergence in nats, no free bits."""
        training = self._reconstruct_training(model)
        train, validation = (
            evaluate(each, model.scale, self._config)
            for each in (training, self._reconstruct_validation(model))
        )
        self._latents = self._fit(training)
        nats = validation.kl_per_dimension
        files = self._manifest.split.validation_files
        collapse = collapse_warning(nats, is_active(WarningKind.COLLAPSE))
        spare = "" if collapse else spare_warning(nats, is_active(WarningKind.LATENT))
        warnings = {WarningKind.COLLAPSE: collapse, WarningKind.LATENT: spare}
        if not self._is_early(epoch):
            warnings[WarningKind.BLUR] = blur_warning(validation.detail, is_active(WarningKind.BLUR))
        return Validation(
            train_loss=train.loss,
            validation_loss=validation.loss,
            train_error=train.error,
            validation_error=validation.error,
            metrics={
                "validation_reconstruction_loss": validation.reconstruction_loss,
                "validation_kl_loss": validation.kl_loss,
                "kl_divergence": float(nats.sum()),
                "kl_per_dimension": tuple(nats.tolist()),
                "active_latent_dimensions": active_dimensions(nats),
                "latent_dimensions": self._config.latent_dim,
                "validation_detail": validation.detail,
                FILE_ERRORS: file_errors(validation.chunk_errors, self._setup.validation_file, files)[
                    :MOST_FILES
                ],
            },
            warnings=warnings,
        )

    def previews(self, model: VAE, epoch: int, is_active: IsActive) -> tuple["VaePreviews", Messages]:
        training, validation = self._reconstruct_training(model), self._reconstruct_validation(model)
        self._latents = latents = self._fit(training)
        new = self._new_sounds(model, latents)
        nearest = nearness(new, training, validation, self._config.detail)
        warnings = {
            WarningKind.MEMORISATION: memorisation_warning(nearest, is_active(WarningKind.MEMORISATION))
        }
        if not self._is_early(epoch):
            differ = diversity(new, training, validation)
            warnings[WarningKind.SAMENESS] = sameness_warning(differ, is_active(WarningKind.SAMENESS))
        return VaePreviews(self._setup.previews, self._bundle(copy_model(model), latents)), warnings

    # -- state ------------------------------------------------------------------------------------------

    def load_previews(self, state: Mapping[str, Any]) -> "VaePreviews | UnfittedPreviews":
        model = copy_model(self.model).eval()
        model.load_state_dict(state["model"])
        if state["latents"] is None:  # by a version that did not keep them
            return UnfittedPreviews(self._setup, model, self._bundle)
        return VaePreviews(self._setup.previews, self._bundle(model, self._read_latents(state["latents"])))

    def state_dict(self, model: VAE) -> dict[str, Any]:
        """What `load_bundle` needs besides the model: latents of the training sounds, and the gain.

        The latents are None if there were none yet, and fitting them was cancelled or found no memory.
        """
        try:
            self._latents = self._latents or self._fit(self._reconstruct_training(model))
        except (Cancelled, RuntimeError, MemoryError) as error:
            logger.warning("this checkpoint has no latents to draw new sounds from (%s)", error)
        latents = self._latents
        return {"latents": latents.state_dict() if latents else None, "gain": self._manifest.gain}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        fitted = state["latents"]
        self._latents = self._read_latents(fitted) if fitted is not None else None
        self.weights_change()

    def _read_latents(self, state: Mapping[str, Any]) -> LatentDistribution:
        """Those in a checkpoint.  Raises KeyError, TypeError or ValueError."""
        latents = LatentDistribution.from_state(state, self.device)
        if latents.means.shape[1] != self._config.latent_dim:
            raise ValueError("its latents are of another model")
        if not self._config.detail:  # it was changed since: from now on no checkpoint holds sounds
            return dataclasses.replace(latents, sounds=None)
        return latents

    def close(self) -> None:
        self._setup.batches.close()

    # -- what the EMA model makes of the fixed sets -----------------------------------------------------

    def _reconstruct_training(self, model: VAE) -> Reconstruction:
        if self._training is None:
            self._training = reconstruct(model, self._setup.training_set, self._cancelled)
        return self._training

    def _reconstruct_validation(self, model: VAE) -> Reconstruction:
        if self._validation is None:
            self._validation = reconstruct(model, self._setup.validation_set, self._cancelled)
        return self._validation

    def _is_early(self, epoch: int) -> bool:
        return epoch < EARLY * self._config.epochs

    def _new_sounds(self, model: VAE, latents: LatentDistribution) -> Tensor:
        """Log-mel spectrograms [sounds, 1, mels, frames] from the same draws each time."""
        draws = generator(self._config.seed, "new sounds")
        return self._bundle(model, latents).sample(JUDGED_SOUNDS, draws)

    @cached_property
    def _neighbourhoods(self) -> Neighbourhoods:
        return find_neighbourhoods(self._setup.training_set)

    @cached_property
    def _sounds(self) -> TrainingSounds:
        return TrainingSounds.quantised(self._setup.training_set)

    def _fit(self, training: Reconstruction) -> LatentDistribution:
        sounds = self._sounds if self._config.detail > 0 else None
        return fit_latents(training, self._neighbourhoods, sounds, self._setup.origins)

    def _bundle(self, model: VAE, latents: LatentDistribution) -> ModelBundle:
        manifest = self._manifest
        samples = manifest.config.chunk_samples(manifest.spectrogram)
        detail = manifest.config.detail
        return ModelBundle(model, manifest.spectrogram, latents, samples, manifest.level, detail)


@dataclass(frozen=True)
class VaePreviews:
    """The previews of one moment of a VAE: its clip reconstructed, and new sounds."""

    renderer: PreviewRenderer
    bundle: ModelBundle

    def render(self, epoch: int, step: int, cancelled: Callable[[], bool]) -> Iterator[PreviewReady]:
        return self.renderer.render(self.bundle, epoch, step, cancelled)

    def state_dict(self) -> dict[str, Any]:
        return self.bundle.state_dict()


@dataclass(frozen=True)
class UnfittedPreviews:
    """Previews of a checkpoint of format 3, whose latents are fitted when they are rendered."""

    setup: TrainingSetup
    model: VAE
    bundle_of: Callable[[VAE, LatentDistribution], ModelBundle]

    def render(self, epoch: int, step: int, cancelled: Callable[[], bool]) -> Iterator[PreviewReady]:
        latents = fit_latents(reconstruct(self.model, self.setup.training_set, cancelled))
        yield from self.setup.previews.render(self.bundle_of(self.model, latents), epoch, step, cancelled)

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "latents": None}
