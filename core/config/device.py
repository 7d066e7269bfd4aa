"""Choosing a device by its name, and what there is to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ConfigError
from core.events import DeviceInfo


@dataclass(frozen=True)
class DeviceStatus:
    """A device, and its memory that is free now."""

    device: DeviceInfo
    free_bytes: int


@dataclass(frozen=True)
class EngineStatus:
    """What PyTorch is and sees on this machine.

    `build` is what it was built for ("CUDA 13.0"), `warnings` what it said while it looked for devices, and
    `problem` why it cannot be used, if it cannot.
    """

    version: str = ""
    build: str = ""
    threads: int = 0
    devices: tuple[DeviceStatus, ...] = ()
    warnings: tuple[str, ...] = ()
    problem: str = ""


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
