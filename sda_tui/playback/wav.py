"""The WAV files that this program writes: PCM of 16 bits."""

import contextlib
import errno
import os
import stat
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from core.runs import open_wave


@contextlib.contextmanager
def open_wav(path: Path) -> Iterator[wave.Wave_read]:
    """A preview to read.  Raises OSError, EOFError and wave.Error for any other file."""
    with _open_regular(path) as file, open_wave(file) as sound:
        yield sound


def _open_regular(path: Path) -> BinaryIO:
    """Open a file to read.  Raises OSError, also for a pipe or a device, which could block or never end."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return file
