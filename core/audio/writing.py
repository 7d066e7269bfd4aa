"""Writing WAV."""

import io
from pathlib import Path

import numpy as np
import soundfile

from core.atomic import write_atomically
from core.audio.levels import NORMALISED_PEAK
from core.audio.reader import Samples


def write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    """Write mono float samples as PCM-16 with the peak at -1 dBFS; silence stays silence.  Atomic.

    Raises ValueError for non-finite samples and OSError as the file system does.
    """
    if not np.isfinite(samples).all():
        raise ValueError("samples to write must be finite")
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples * (NORMALISED_PEAK / peak) if peak > 1e-6 else samples
    buffer = io.BytesIO()
    soundfile.write(buffer, scaled, sample_rate, format="WAV", subtype="PCM_16")
    write_atomically(path, buffer.getvalue())
