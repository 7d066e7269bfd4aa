"""A linear autoencoder that starts as PCA, and a U-Net that refines what it decodes."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.config import PcaUnetConfig
from core.model.dropout import Dropout
from core.model.pca import principal_components
from core.model.vae import VAE
from core.optim.groups import ParameterGroup

GROUPS = 8
LINEAR_LR_SCALE = 0.05  # Adam moves all of a dense layer's many weights at once; PCA needs small corrections
SMALLEST_DEVIATION = 1e-3  # keeps a division finite where the training sounds have no such direction
SMALLEST_RESIDUAL = 0.01  # of normalised sounds: PCA leaves next to none of a few, but more of unknown ones
CORRECTIONS_IN_TRAINING, CORRECTIONS = 1, 3  # of the latent; each takes as long as the decoder


class PcaUnetVAE(VAE):
    """A linear decoder, and a small U-Net that adds a correction to what it decodes.

    The linear path is probabilistic PCA (Tipping & Bishop, "Probabilistic Principal Component Analysis",
    1999) of the training sounds, and the U-Net (Ronneberger, Fischer & Brox, 2015) starts as zero, so the
    model equals PCA before its first step.  The linear path has nearly all weights and gains next to nothing
    by training (`benchmarks/RESULTS.md`): it stays as it is unless `config.trains_pca`.  The U-Net works on
    patches, as a CPU is slowest at convolutions of large feature maps with few channels.

    The encoder corrects itself: it decodes its latent, and adds the encoded residual to it.  So a linear
    encoder finds latents for a non-linear decoder: after Irani & Peleg's iterative back-projection,
    "Improving Resolution by Image Registration", 1991; see also Marino, Yue & Mandt, "Iterative Amortized
    Inference", ICML 2018.
    """

    config: PcaUnetConfig
    cuda_memory_format = torch.channels_last
    encoder_parts = ("to_latent", "log_variance")

    def __init__(self, config: PcaUnetConfig) -> None:
        super().__init__(config)
        features = config.n_mels * config.n_frames
        self.to_latent = nn.Linear(features, config.latent_dim)
        self.log_variance = nn.Parameter(torch.zeros(config.latent_dim))
        self.from_latent = nn.Linear(config.latent_dim, features)
        self.refiner = UNet(config.channels, config.levels, config.patch, config.dropout)
        if not config.trains_pca:
            fix(self.to_latent)
            fix(self.from_latent)

    @torch.no_grad()
    def initialise(
        self, log_mel: Tensor, generator: torch.Generator, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Also set the linear path to the principal components of the sounds."""
        super().initialise(log_mel, generator, cancelled)
        normalised = ((log_mel - self.band_mean) / self.scale).flatten(1)
        found = principal_components(normalised, self.config.latent_dim, generator, cancelled)
        deviations = found.deviations.clamp_min(SMALLEST_DEVIATION)
        residual = found.residual.clamp_min(SMALLEST_RESIDUAL)
        variance = (residual / deviations.square()).clamp(max=1.0)  # 1: unused, both its weights are 0
        to_latent = found.directions / deviations * (1 - variance).sqrt()
        self.to_latent.weight.copy_(to_latent.T)
        self.to_latent.bias.copy_(-found.mean @ to_latent)
        self.from_latent.weight.copy_(found.directions * deviations * (1 - variance).sqrt())
        self.from_latent.bias.copy_(found.mean)
        self.log_variance.copy_(variance.log())

    def parameter_groups(self) -> list[ParameterGroup]:
        convolutions = [weight for weight in self.refiner.parameters() if weight.dim() == 4]
        others = [weight for weight in self.refiner.parameters() if weight.dim() != 4]
        linear = [*self.to_latent.parameters(), *self.from_latent.parameters()]
        groups = [
            ParameterGroup(convolutions, use_muon=True),
            ParameterGroup([self.log_variance, *others], decays=False),
        ]
        if linear:
            groups.append(ParameterGroup(linear, lr_scale=LINEAR_LR_SCALE, decays=False))
        return groups

    def posterior(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.to_latent(normalised.flatten(1))
        for _ in range(CORRECTIONS_IN_TRAINING if self.training else CORRECTIONS):
            residual = normalised - self.decode_normalised(mean)
            mean = mean + functional.linear(residual.flatten(1), self.to_latent.weight)
        return mean, self.log_variance.expand_as(mean)

    def decode_normalised(self, latent: Tensor) -> Tensor:
        shape = (1, self.config.n_mels, self.config.n_frames)
        linear: Tensor = self.from_latent(latent).unflatten(1, shape)
        padding = self.config.padded_frames - self.config.n_frames
        refinement: Tensor = self.refiner(functional.pad(linear, (0, padding)))
        return linear + refinement[..., : self.config.n_frames]


class UNet(nn.Module):
    """[batch, 1, mels, frames] to a correction of the same shape, zero before the first step.

    `levels` are the sizes [mels, frames] of its feature maps, each half the one before; the spectrogram has
    `patch` times the first.  `position_bias` is a learned bias for each position of a map: convolutions
    treat all positions alike, but a sound's low bands are not like its high ones.
    """

    def __init__(
        self, channels: tuple[int, ...], levels: list[tuple[int, int]], patch: int, dropout: float
    ) -> None:
        super().__init__()
        self.into_patches = nn.Sequential(
            nn.PixelUnshuffle(patch), nn.Conv2d(patch**2, channels[0], kernel_size=3, padding=1)
        )
        self.position_bias = nn.ParameterList(
            nn.Parameter(torch.zeros(width, *level)) for width, level in zip(channels, levels, strict=True)
        )
        self.before = nn.ModuleList(ResidualBlock(width, dropout) for width in channels[:-1])
        self.down = nn.ModuleList(
            nn.Conv2d(upper, lower, kernel_size=2, stride=2) for upper, lower in pairwise(channels)
        )
        self.bottom = ResidualBlock(channels[-1], dropout)
        self.up = nn.ModuleList(nn.Conv2d(lower, upper, kernel_size=1) for upper, lower in pairwise(channels))
        self.after = nn.ModuleList(ResidualBlock(width, dropout) for width in channels[:-1])
        self.out_of_patches = nn.Sequential(
            zero(nn.Conv2d(channels[0], patch**2, kernel_size=3, padding=1)), nn.PixelShuffle(patch)
        )

    def forward(self, spectrogram: Tensor) -> Tensor:
        features = self.into_patches(spectrogram) + self.position_bias[0]
        skipped = []
        for before, down, bias in zip(self.before, self.down, list(self.position_bias)[1:], strict=True):
            features = before(features)
            skipped.append(features)
            features = down(features) + bias
        features = self.bottom(features)
        for up, after in zip(reversed(self.up), reversed(self.after), strict=True):
            # Nearest neighbour: its gradient is deterministic on CUDA too, and it leaves no checkerboard.
            features = after(functional.interpolate(up(features), scale_factor=2.0) + skipped.pop())
        correction: Tensor = self.out_of_patches(features)
        return correction


class ResidualBlock(nn.Module):
    """The identity plus two 3×3 convolutions, which start as zero: [batch, channels, height, width]."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.SiLU(),
            Dropout(dropout),
            zero(nn.Conv2d(channels, channels, kernel_size=3, padding=1)),
        )

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = features + self.layers(features)
        return changed


def fix(layer: nn.Linear) -> None:
    """Make the layer's weights buffers: part of the model's state, but never trained."""
    for name, weight in list(layer.named_parameters()):
        delattr(layer, name)
        layer.register_buffer(name, weight.detach())


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Set all weights of the layer to 0, and return it."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
