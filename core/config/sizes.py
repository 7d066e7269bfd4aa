"""The spectrogram and the models as numbers: shapes, weights and work.  Imports no torch.

Each model has one class here, which its estimates come from, and one module in `core.model`.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

LARGEST_LOG_POWER = 16.0  # natural logarithm of a mel power, where a sine at full scale has 12.5


@dataclass(frozen=True)
class SpectrogramConfig:
    """All parameters of the log-mel spectrogram.  Kept in every checkpoint and compared on load.

    The mel scale is Slaney's: with 128 bands at 48 kHz the filterbank's condition number is 8, where that
    of the HTK scale is about 250 because its lowest filters are narrower than an FFT bin; inversion to a
    linear spectrum suffers accordingly.

    The logarithm is log(1 + reference_gain · power): what is more than 54 dB + 10 log10(reference_gain) below
    full scale is flattened, about -54 dBFS with 1 and -94 dBFS with 10 000.
    """

    sample_rate: int = 48_000
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min_hz: float = 0.0
    f_max_hz: float = 24_000.0
    reference_gain: float = 10_000.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read one back.  Those of earlier versions have no reference gain: it was 1.

        Raises TypeError for unknown names.
        """
        return cls(**{"reference_gain": 1.0, **values})

    @property
    def largest_log_mel(self) -> float:
        """More than any sound has: 15 dB over that of a sine at full scale."""
        return LARGEST_LOG_POWER + math.log(self.reference_gain)

    def frames(self, samples: int) -> int:
        """Number of frames of a centred STFT over `samples` samples."""
        return samples // self.hop_length + 1


class Layer(NamedTuple):
    """A layer's weights, biases included, and the number of positions that they are applied at."""

    weights: int
    positions: int


def dense(inputs: int, outputs: int) -> Layer:
    return Layer(inputs * outputs + outputs, 1)


def convolution(inputs: int, outputs: int, kernel: int, positions: int) -> Layer:
    return Layer(inputs * outputs * kernel**2 + outputs, positions)


def norm(channels: int) -> Layer:
    return Layer(2 * channels, 0)


def constants(count: int) -> Layer:
    """Weights that are added, not multiplied."""
    return Layer(count, 0)


@dataclass(frozen=True)
class ModelConfig:
    """The spectrograms [n_mels, n_frames] that a variational autoencoder takes, and its latents."""

    n_mels: int
    n_frames: int
    latent_dim: int
    dropout: float


@dataclass(frozen=True)
class NetworkConfig(ModelConfig, ABC):
    """Shape of a network of convolutions.  Follows from the training configuration."""

    width: int
    channel_factors: ClassVar[tuple[int, ...]]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the convolutions, from the largest feature map to the smallest."""
        return tuple(self.width * factor for factor in self.channel_factors)

    @property
    @abstractmethod
    def stride(self) -> int:
        """Total down-sampling along each axis; time is padded to a multiple of it."""

    @abstractmethod
    def layers(self) -> list[Layer]:
        """All layers, in any order."""

    @property
    def padded_frames(self) -> int:
        return math.ceil(self.n_frames / self.stride) * self.stride

    @property
    def parameter_count(self) -> int:
        """Number of weights, trained or not."""
        return sum(layer.weights for layer in self.layers())

    @property
    def trained_count(self) -> int:
        """Number of trained weights, which have an average and moments beside them."""
        return self.parameter_count

    @property
    def multiply_adds(self) -> int:
        """Of one pass of a chunk through each layer; the time of a step is about proportional to them."""
        return sum(layer.weights * layer.positions for layer in self.layers())


@dataclass(frozen=True)
class PcaUnetConfig(NetworkConfig):
    """A linear path of dense layers, and a U-Net on patches of the spectrogram."""

    channel_factors = (1, 2, 3)
    patch: ClassVar[int] = 4  # side of the squares that the U-Net sees as one point
    trains_pca: bool = False

    @property
    def stride(self) -> int:
        return int(self.patch * 2 ** (len(self.channels) - 1))

    @property
    def levels(self) -> list[tuple[int, int]]:
        """Sizes [mels, frames] of the U-Net's feature maps, the largest first."""
        sides = [self.patch * 2**level for level in range(len(self.channels))]
        return [(self.n_mels // side, self.padded_frames // side) for side in sides]

    @property
    def trained_count(self) -> int:
        linear = 0 if self.trains_pca else sum(layer.weights for layer in self._linear_layers())
        return self.parameter_count - linear

    def _linear_layers(self) -> list[Layer]:
        features = self.n_mels * self.n_frames
        return [dense(features, self.latent_dim), dense(self.latent_dim, features)]

    def layers(self) -> list[Layer]:
        first = self.channels[0]
        sizes = [math.prod(level) for level in self.levels]
        layers = self._linear_layers()
        layers += [constants(self.latent_dim)]  # log-variances
        layers += [
            convolution(self.patch**2, first, 3, sizes[0]),
            convolution(first, self.patch**2, 3, sizes[0]),
        ]
        for level, (width, positions) in enumerate(zip(self.channels, sizes, strict=True)):
            block = [norm(width), *[convolution(width, width, 3, positions)] * 2]
            is_bottom = level == len(sizes) - 1
            layers += [constants(width * positions), *block * (1 if is_bottom else 2)]
        for level, (upper, lower) in enumerate(itertools.pairwise(self.channels)):
            layers += [convolution(upper, lower, 2, sizes[level + 1])]
            layers += [convolution(lower, upper, 1, sizes[level + 1])]
        return layers


@dataclass(frozen=True)
class ConvolutionalConfig(NetworkConfig):
    """Stride-2 convolutions down to the latents, and a mirrored decoder."""

    channel_factors = (1, 2, 4, 8)

    @property
    def stride(self) -> int:
        return int(2 ** len(self.channels))

    @property
    def bottleneck(self) -> tuple[int, int, int]:
        """Shape of the innermost feature map: [channels, mels, frames]."""
        return self.channels[-1], self.n_mels // self.stride, self.padded_frames // self.stride

    def layers(self) -> list[Layer]:
        features = math.prod(self.bottleneck)
        layers = [dense(features, 2 * self.latent_dim), dense(self.latent_dim, features)]
        for level, (upper, lower) in enumerate(itertools.pairwise((1, *self.channels))):
            positions = self.n_mels * self.padded_frames // 4 ** (level + 1)
            layers += [convolution(upper, lower, 3, positions), norm(lower)]
            layers += [convolution(lower, upper, 4, positions), *([norm(upper)] if level else [])]
        return layers


# By the value of the setting `model`.
MODELS: Mapping[str, type[NetworkConfig]] = MappingProxyType(
    {"pca_unet": PcaUnetConfig, "convolutional": ConvolutionalConfig}
)
