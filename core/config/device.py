"""Choosing a device by its name."""

from collections.abc import Sequence

from core.errors import ConfigError
from core.events import DeviceInfo


def find_device(name: str | None, devices: Sequence[DeviceInfo]) -> DeviceInfo:
    """The device of this name, or the first for None; "cuda" is "cuda:0".  Raises ConfigError."""
    if name is None:
        return devices[0]
    wanted = name.strip().lower()
    for device in devices:
        if wanted in (device.name, device.name.removesuffix(":0")):
            return device
    here = ", ".join(f"{device.name} ({device.title})" for device in devices)
    raise ConfigError(f"There is no device '{name}' here; choose {here}.")
