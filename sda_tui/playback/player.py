"""The interface of everything that plays sound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Playing:
    """A sound that is playing, and how far."""

    path: Path
    position_s: float
    duration_s: float


class Player(Protocol):
    """Plays one sound at a time; no call blocks."""

    def prepare(self) -> None:
        """Load what is needed, so that the first sound starts as soon as any other."""

    def play(self, path: Path) -> None:
        """Stop what is playing and play this file from its start."""

    def stop(self) -> None:
        """Stop what is playing."""

    @property
    def playing(self) -> Playing | None:
        """What is playing now, if anything."""
