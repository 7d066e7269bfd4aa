"""Stores of synthesised signals."""

from collections import deque

import numpy as np

from core.data.loading import DecodedExcerpt
from core.data.report import Excerpt
from core.data.store import ChunkStore, SampleBuffer

CHUNK = 1000  # samples


def store_of(
    *signals: np.ndarray, starts: tuple[float, ...] = (0.0,), chunk_samples: int = CHUNK
) -> ChunkStore:
    sounds, buffer = [], SampleBuffer()
    for index, signal in enumerate(signals):
        excerpt = Excerpt(f"{index}.wav", 0.0, len(signal) / 48_000, starts)
        decoded = DecodedExcerpt.from_blocks(deque([signal.astype(np.float32)]), excerpt, 48_000)
        sounds.append(decoded.store_in(buffer))
    return ChunkStore(sounds, buffer.tensor(), chunk_samples)
