"""The plain convolutional variational autoencoder."""

from torch import Tensor, nn
from torch.nn import functional

from core.config import ConvolutionalConfig
from core.model.dropout import Dropout
from core.model.vae import VAE

GROUPS = 8


class ConvolutionalVAE(VAE):
    """Four stride-2 convolutions to the posterior, and a mirrored decoder: what most tools use."""

    config: ConvolutionalConfig
    encoder_parts = ("encoder", "to_posterior")

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__(config)
        features = config.bottleneck[0] * config.bottleneck[1] * config.bottleneck[2]
        self.encoder = nn.Sequential(*_encoder_blocks(config.channels), nn.Flatten(), Dropout(config.dropout))
        self.to_posterior = nn.Linear(features, 2 * config.latent_dim)
        self.from_latent = nn.Linear(config.latent_dim, features)
        self.decoder = nn.Sequential(
            Dropout(config.dropout), nn.Unflatten(1, config.bottleneck), *_decoder_blocks(config.channels)
        )

    def posterior(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        padding = self.config.padded_frames - self.config.n_frames
        mean, log_variance = self.to_posterior(self.encoder(functional.pad(normalised, (0, padding)))).chunk(
            2, dim=1
        )
        return mean, log_variance

    def decode_normalised(self, latent: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(functional.silu(self.from_latent(latent)))
        return decoded[..., : self.config.n_frames]


def _encoder_blocks(channels: tuple[int, ...]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for inputs, outputs in zip((1, *channels[:-1]), channels, strict=True):
        blocks += [
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1),
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
        ]
    return blocks


def _decoder_blocks(channels: tuple[int, ...]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for inputs, outputs in zip(channels[::-1], channels[-2::-1], strict=False):
        blocks += [
            nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1),
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
        ]
    # Straight to one channel: a further convolution at full resolution doubled the time of a step on a CPU.
    return [*blocks, nn.ConvTranspose2d(channels[0], 1, kernel_size=4, stride=2, padding=1)]
