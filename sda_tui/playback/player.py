"""What the app asks of anything that plays sound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Playing:
    """A sound that is being heard."""

    path: Path
    position_s: float
    duration_s: float


class Player(Protocol):
    """Plays one sound at a time, without keeping the caller waiting."""

    def prepare(self) -> None:
        """Load what is needed, so that the first sound comes as soon as any other."""

    def play(self, path: Path) -> None:
        """Stop what plays and play this file from its start."""

    def stop(self) -> None:
        """Be silent."""

    @property
    def playing(self) -> Playing | None:
        """What is heard now, if anything."""
