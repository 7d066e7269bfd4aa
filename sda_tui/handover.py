"""What the process that shows and trains leaves to its parent, which the shell waits for."""

import ctypes
import mmap
import os
from pathlib import Path

LONGEST_PATH_BYTES = 4096


class _Shared(ctypes.Structure):
    _fields_ = (
        ("has_screen", ctypes.c_bool),
        ("status", ctypes.c_ubyte),
        ("run", ctypes.c_char * LONGEST_PATH_BYTES),
    )


class Handover:
    """Memory that both processes share, as what is in it outlives the sudden death of the one that wrote it.

    Made before the fork; the child writes.  `has_screen`: the terminal is in the app's modes now.  `status`:
    what to exit with if the child continues in the background.
    """

    def __init__(self) -> None:
        self._shared = _Shared.from_buffer(mmap.mmap(-1, ctypes.sizeof(_Shared)))

    @property
    def has_screen(self) -> bool:
        return bool(self._shared.has_screen)

    @has_screen.setter
    def has_screen(self, value: bool) -> None:
        self._shared.has_screen = value

    @property
    def status(self) -> int:
        return int(self._shared.status)

    @status.setter
    def status(self, value: int) -> None:
        self._shared.status = value

    @property
    def run(self) -> Path | None:
        """The directory of the run that the child trained last, if any."""
        path: bytes = self._shared.run
        return Path(os.fsdecode(path)) if path else None

    @run.setter
    def run(self, path: Path) -> None:
        encoded = os.fsencode(path)
        self._shared.run = encoded if len(encoded) < LONGEST_PATH_BYTES else b""
