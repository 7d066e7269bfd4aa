"""A sound of the dataset as a model would get it, to be played before training.  Imports no torch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.audio.reader import Decoders, mono_blocks
from core.audio.writing import write_wav
from core.errors import AudioFileError, DatasetError
from core.text import printable

SAMPLE_RATE = 48_000
LONGEST_S = 60.0


def write_audition(path: Path, target: Path, cancelled: Callable[[], bool]) -> None:
    """Write the first minute of a sound file as WAV, mono at 48 kHz, its peak at -1 dBFS.

    Raises DatasetError if it cannot be decoded, OSError, Cancelled.
    """
    blocks, samples, wanted = [], 0, round(LONGEST_S * SAMPLE_RATE)
    try:
        with Decoders(cancelled) as decoders, decoders.open(path) as sound:
            for block in mono_blocks(sound, SAMPLE_RATE):
                blocks.append(block[: wanted - samples])
                samples += len(blocks[-1])
                if samples >= wanted:
                    break
    except AudioFileError as error:
        raise DatasetError(f"{printable(path.name)} cannot be played: {error}.") from error
    write_wav(target, np.concatenate(blocks) if blocks else np.zeros(0, np.float32), SAMPLE_RATE)
