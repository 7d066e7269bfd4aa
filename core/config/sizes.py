"""The spectrogram and the model as numbers: what a run's weights depend on."""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class SpectrogramConfig:
    """All parameters of the log-mel spectrogram.  Kept in every checkpoint and compared on load.

    The mel scale is Slaney's: with 128 bands at 48 kHz the filterbank's condition number is 8, where that
    of the HTK scale is about 250 because its lowest filters are narrower than an FFT bin; inversion to a
    linear spectrum suffers accordingly.
    """

    sample_rate: int = 48_000
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min_hz: float = 0.0
    f_max_hz: float = 24_000.0

    def frames(self, samples: int) -> int:
        """Number of frames of a centred STFT over `samples` samples."""
        return samples // self.hop_length + 1


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the variational autoencoder.  Follows from the training configuration."""

    kind: str
    n_mels: int
    n_frames: int
    latent_dim: int
    dropout: float
    width: int = 32

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the convolutions, from the largest feature map to the smallest."""
        factors = (1, 2, 3) if self.kind == "refined" else (1, 2, 4, 8)
        return tuple(self.width * factor for factor in factors)

    @property
    def patch(self) -> int:
        """Side of the squares that the refining network sees as one point."""
        return 4

    @property
    def stride(self) -> int:
        """Total down-sampling along each axis; time is padded to a multiple of it."""
        if self.kind == "refined":
            return int(self.patch * 2 ** (len(self.channels) - 1))
        return int(2 ** len(self.channels))

    @property
    def padded_frames(self) -> int:
        return math.ceil(self.n_frames / self.stride) * self.stride

    @property
    def levels(self) -> list[tuple[int, int]]:
        """Sizes [mels, frames] of the refining network's feature maps, the largest first."""
        sides = [self.patch * 2**level for level in range(len(self.channels))]
        return [(self.n_mels // side, self.padded_frames // side) for side in sides]

    @property
    def bottleneck(self) -> tuple[int, int, int]:
        """Shape of the innermost feature map: [channels, mels, frames]."""
        return self.channels[-1], self.n_mels // self.stride, self.padded_frames // self.stride

    @property
    def parameter_count(self) -> int:
        """Number of weights of the VAE of this shape; its disk and memory use follow from it."""
        return sum(layer.weights for layer in self._layers())

    @property
    def multiply_adds(self) -> int:
        """Of one pass of a chunk through each layer; the time of a step is about proportional to them."""
        return sum(layer.weights * layer.positions for layer in self._layers())

    def _layers(self) -> list["_Layer"]:
        return self._refined_layers() if self.kind == "refined" else self._convolutional_layers()

    def _convolutional_layers(self) -> list["_Layer"]:
        features = math.prod(self.bottleneck)
        layers = [_dense(features, 2 * self.latent_dim), _dense(self.latent_dim, features)]
        for level, (upper, lower) in enumerate(itertools.pairwise((1, *self.channels))):
            positions = self.n_mels * self.padded_frames // 4 ** (level + 1)
            layers += [_convolution(upper, lower, 3, positions), _norm(lower)]
            layers += [_convolution(lower, upper, 4, positions), *([_norm(upper)] if level else [])]
        return layers

    def _refined_layers(self) -> list["_Layer"]:
        features, first = self.n_mels * self.n_frames, self.channels[0]
        sizes = [math.prod(level) for level in self.levels]
        layers = [_dense(features, self.latent_dim), _dense(self.latent_dim, features)]
        layers += [_Layer(self.latent_dim, 0)]  # log-variances
        layers += [
            _convolution(self.patch**2, first, 3, sizes[0]),
            _convolution(first, self.patch**2, 3, sizes[0]),
        ]
        for level, (width, positions) in enumerate(zip(self.channels, sizes, strict=True)):
            block = [_norm(width), *[_convolution(width, width, 3, positions)] * 2]
            is_bottom = level == len(sizes) - 1
            layers += [_Layer(width * positions, 0), *block * (1 if is_bottom else 2)]
        for level, (upper, lower) in enumerate(itertools.pairwise(self.channels)):
            layers += [_convolution(upper, lower, 2, sizes[level + 1])]
            layers += [_convolution(lower, upper, 1, sizes[level + 1])]
        return layers


class _Layer(NamedTuple):
    """How many weights, biases included, at how many positions."""

    weights: int
    positions: int


def _dense(inputs: int, outputs: int) -> _Layer:
    return _Layer(inputs * outputs + outputs, 1)


def _convolution(inputs: int, outputs: int, kernel: int, positions: int) -> _Layer:
    return _Layer(inputs * outputs * kernel**2 + outputs, positions)


def _norm(channels: int) -> _Layer:
    return _Layer(2 * channels, 0)
