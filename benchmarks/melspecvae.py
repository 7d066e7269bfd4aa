"""Another project's architecture, to compare with."""

import math

from torch import Tensor, nn

from core.config import ModelConfig
from core.model import VAE


class MelSpecVAE(VAE):
    """The architecture of github.com/moiseshorta/MelSpecVAE, which follows Velardo's tutorials: convolutions
    of 512 to 32 filters with ReLU and batch norm, a dense posterior, a mirrored decoder with a sigmoid."""

    def __init__(self, n_mels: int, n_frames: int, latents: int, lowest: float, highest: float) -> None:
        super().__init__(ModelConfig(n_mels, n_frames, latents, 0.0))
        filters, strides = (512, 256, 128, 64, 32), (*((2, 2),) * 4, (2, 1))
        self.padding = -n_frames % 16
        self.band_mean.fill_(lowest)
        self.scale.fill_(highest - lowest)
        encoder: list[nn.Module] = []
        for inputs, outputs, stride in zip((1, *filters), filters, strides, strict=False):
            encoder += [nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.ReLU(), nn.BatchNorm2d(outputs)]
        self.encoder = nn.Sequential(*encoder, nn.Flatten())
        bottom = (filters[-1], n_mels // 32, (n_frames + self.padding) // 16)
        self.to_posterior = nn.Linear(math.prod(bottom), 2 * latents)
        decoder: list[nn.Module] = [nn.Linear(latents, math.prod(bottom)), nn.Unflatten(1, bottom)]
        for index in reversed(range(1, 5)):
            width, stride = filters[index], strides[index]
            extra = (1, 0) if stride == (2, 1) else (1, 1)
            inputs = filters[min(index + 1, 4)]
            decoder += [
                nn.ConvTranspose2d(inputs, width, 3, stride, padding=1, output_padding=extra),
                nn.ReLU(),
                nn.BatchNorm2d(width),
            ]
        last = nn.ConvTranspose2d(filters[1], 1, 3, 2, padding=1, output_padding=1)
        self.decoder = nn.Sequential(*decoder, last, nn.Sigmoid())

    def posterior(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        padded = nn.functional.pad(normalised, (0, self.padding))
        mean, log_variance = self.to_posterior(self.encoder(padded)).chunk(2, dim=1)
        return mean, log_variance

    def decode_normalised(self, latent: Tensor) -> Tensor:
        image: Tensor = self.decoder(latent)
        return image[..., : self.config.n_frames]
