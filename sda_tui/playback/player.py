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


@dataclass(frozen=True)
class Problem:
    """Why a sound was not played; `message` is for the user.

    `is_of_player`: no other sound would be played either, by the player of this name.
    """

    player: str
    message: str
    is_of_player: bool = True


class Player(Protocol):
    """Plays one sound at a time; no call but `probe` blocks."""

    @property
    def name(self) -> str:
        """What the user knows it by."""

    def probe(self) -> str:
        """Why it cannot play here, empty if it can.  May take a while; called on a thread of its own."""

    def play(self, path: Path, is_switch: bool = False) -> None:
        """Play a WAV file instead of what is playing: from its start, or on a switch from where that is."""

    def stop(self) -> None:
        """Stop what is playing."""

    @property
    def playing(self) -> Playing | None:
        """What is playing now, if anything."""
