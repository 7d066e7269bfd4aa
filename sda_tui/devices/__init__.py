"""What the machine does while a run trains: its GPU, its CPU, its memory."""

from sda_tui.devices.monitor import DeviceMonitor
from sda_tui.devices.reading import QUANTITIES, DeviceReading, Point, Quantity, QuantityInfo
from sda_tui.devices.watched import Watched, watched

__all__ = [
    "QUANTITIES",
    "DeviceMonitor",
    "DeviceReading",
    "Point",
    "Quantity",
    "QuantityInfo",
    "Watched",
    "watched",
]
