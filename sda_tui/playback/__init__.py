"""Playing sounds: one Player protocol, and its implementations."""

from sda_tui.playback.player import Player, Playing
from sda_tui.playback.portaudio import PortAudioPlayer

__all__ = ["Player", "Playing", "PortAudioPlayer"]
