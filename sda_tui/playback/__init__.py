"""Being heard: one Player protocol, and the ways to play."""

from sda_tui.playback.player import Player, Playing
from sda_tui.playback.portaudio import PortAudioPlayer

__all__ = ["Player", "Playing", "PortAudioPlayer"]
