"""What is measured of a machine, and what was."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Point = tuple[float, float]  # seconds since 1970, value


class Quantity(StrEnum):
    """One figure that changes with time."""

    GPU_USE = "gpu_use"
    GPU_MEMORY = "gpu_memory"
    GPU_TEMPERATURE = "gpu_temperature"
    GPU_POWER = "gpu_power"
    PROCESS_CPU = "process_cpu"
    PROCESS_MEMORY = "process_memory"
    HOST_CPU = "host_cpu"
    HOST_MEMORY = "host_memory"


@dataclass(frozen=True)
class QuantityInfo:
    """How a quantity is named and shown.  Values in "%" are from 0 to 100; those in "B" are bytes."""

    label: str
    unit: str


QUANTITIES: Mapping[Quantity, QuantityInfo] = MappingProxyType(
    {
        Quantity.GPU_USE: QuantityInfo("GPU", "%"),
        Quantity.GPU_MEMORY: QuantityInfo("GPU memory", "B"),
        Quantity.GPU_TEMPERATURE: QuantityInfo("GPU temperature", "°C"),
        Quantity.GPU_POWER: QuantityInfo("GPU power", "W"),
        Quantity.PROCESS_CPU: QuantityInfo("CPU, this run", "%"),
        Quantity.PROCESS_MEMORY: QuantityInfo("memory, this run", "B"),
        Quantity.HOST_CPU: QuantityInfo("CPU", "%"),
        Quantity.HOST_MEMORY: QuantityInfo("memory", "B"),
    }
)


@dataclass(frozen=True)
class DeviceReading:
    """All that was measured, as it was when this was read.

    `series` holds the points of each quantity that was measured at least once, the newest last, and `limits`
    the most that a value can be, where that is known.  A sentence for the user says why something is not
    measured: `gpu_problem` of the GPU, `process_problem` of the process which trains.
    """

    series: Mapping[Quantity, list[Point]] = field(default_factory=dict)
    limits: Mapping[Quantity, float] = field(default_factory=dict)
    gpu_name: str = ""
    gpu_problem: str = ""
    process_problem: str = ""

    def newest(self, quantity: Quantity) -> float | None:
        """The last value measured; None if there is none."""
        points = self.series.get(quantity)
        return points[-1][1] if points else None
