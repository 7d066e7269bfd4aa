"""How loud a sound is, and how far it rises above its own noise.  Imports no torch."""

import numpy as np
import numpy.typing as npt

from core.audio.reader import Samples

STEP_S = 0.1  # between two measurements, of which STEPS_IN_BLOCK make a block
STEPS_IN_BLOCK = 4
STEPS_AT_A_TIME = 64
OFFSET_DB = -0.691
ABSOLUTE_GATE_DB, RELATIVE_GATE_DB = -70.0, -10.0
# The K-weighting's filters at 48 kHz: a shelf for the head, and a high-pass.
SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
HIGH_PASS = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
FILTER_RATE = 48_000
SMALLEST_POWER = 1e-30

Numbers = npt.NDArray[np.float64]


class LoudnessMeter:
    """Integrated loudness of one channel, in LUFS: ITU-R BS.1770-4, in blocks of 400 ms.

    Its filters are applied to spectra of 100 ms, so that an hour takes a second: that costs half a LU at a
    steady tone below 60 Hz, and else 0.15 LU at most.  A sound shorter than a block is one block, and the
    absolute gate holds only for sounds that have something above it.  `is_quiet` asks to measure noise too,
    which costs as much again.
    """

    def __init__(self, sample_rate: int) -> None:
        self._step_samples = max(1, round(STEP_S * sample_rate))
        self._weights = _weights(self._step_samples, sample_rate)
        self._sample_rate = sample_rate
        self._rest = np.zeros(0)
        self._powers: list[Numbers] = []  # mean square of each step, weighted
        self._loudest_bin = 0.0
        self._medians: list[Numbers] = []  # over the bins of each step

    def add(self, mono: Samples, is_quiet: bool) -> None:
        """Take in the next samples."""
        samples = np.concatenate([self._rest, mono])  # double, as squares of any float fit into it
        whole = len(samples) // self._step_samples * self._step_samples
        self._rest = samples[whole:].copy()
        steps = samples[:whole].reshape(-1, self._step_samples)
        for first in range(0, len(steps), STEPS_AT_A_TIME):
            bins = np.abs(np.fft.rfft(steps[first : first + STEPS_AT_A_TIME])) ** 2
            self._powers.append(bins @ self._weights)
            if is_quiet:
                self._loudest_bin = max(self._loudest_bin, float(bins[:, 1:].max()))
                self._medians.append(np.median(bins[:, 1:], axis=1))

    @property
    def loudness_lufs(self) -> float | None:
        """None for silence."""
        steps = np.concatenate(self._powers) if self._powers else np.zeros(0)
        if len(steps) < STEPS_IN_BLOCK:
            blocks = np.array([self._mean_of_all(steps)])
        else:
            blocks = np.convolve(steps, np.ones(STEPS_IN_BLOCK) / STEPS_IN_BLOCK, mode="valid")
        blocks = blocks[blocks > SMALLEST_POWER]
        if len(blocks) == 0:  # perhaps all of it is in the last step, which is not whole
            blocks = np.array([self._mean_of_all(steps)])
            if blocks[0] <= SMALLEST_POWER:
                return None
        audible = blocks[_loudness(blocks) > ABSOLUTE_GATE_DB]
        blocks = audible if len(audible) else blocks
        gate = _loudness(blocks.mean()) + RELATIVE_GATE_DB
        return round(float(_loudness(blocks[_loudness(blocks) > gate].mean())), 2)

    @property
    def range_over_noise_db(self) -> float:
        """How far the strongest partial of any moment lies above the median of all: about 13 for white noise.

        Only of a sound that was quiet from end to end.
        """
        if not self._medians:
            return np.inf
        floor = float(np.median(np.concatenate(self._medians)))
        return 10 * float(np.log10(self._loudest_bin / floor)) if floor > 0 else np.inf

    def _mean_of_all(self, steps: Numbers) -> float:
        """Mean square of a sound shorter than a block, whatever its length."""
        count = len(steps) * self._step_samples + len(self._rest)
        energy = float(steps.sum()) * self._step_samples
        if len(self._rest):
            bins = np.abs(np.fft.rfft(self._rest)) ** 2
            energy += float(bins @ _weights(len(self._rest), self._sample_rate)) * len(self._rest)
        return energy / max(count, 1)


def _loudness(power: Numbers) -> Numbers:
    loudness: Numbers = OFFSET_DB + 10 * np.log10(power)
    return loudness


def _weights(samples: int, sample_rate: int) -> Numbers:
    """What each squared magnitude of a real spectrum adds to the mean square after both filters [bins]."""
    rates = np.minimum(np.fft.rfftfreq(samples, 1 / sample_rate), FILTER_RATE / 2)
    delay = np.exp(-2j * np.pi * rates / FILTER_RATE)
    gain = np.ones(len(rates))
    for numerator, denominator in (SHELF, HIGH_PASS):
        response = np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
        gain *= np.abs(response) ** 2
    sides = np.full(len(rates), 2.0)
    sides[0] = 1.0
    if samples % 2 == 0:
        sides[-1] = 1.0
    weights: Numbers = gain * sides / samples**2
    return weights
