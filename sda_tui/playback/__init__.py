"""Playing sounds: one Player protocol, and its implementations."""

from sda_tui.playback.outputs import Outputs, probe_all
from sda_tui.playback.player import Player, Playing, Problem
from sda_tui.playback.portaudio import Device, PortAudioPlayer
from sda_tui.playback.program import PROGRAMS, ProgramPlayer

__all__ = [
    "PROGRAMS",
    "Device",
    "Outputs",
    "Player",
    "Playing",
    "PortAudioPlayer",
    "Problem",
    "ProgramPlayer",
    "probe_all",
]
