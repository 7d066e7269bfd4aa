"""Measures GPU, CPU and memory once a second, on threads of its own."""

import contextlib
import importlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sda_tui import format as fmt
from sda_tui.devices.host import HostSampler
from sda_tui.devices.nvidia import GpuUnknownError, NvidiaGpu, explain_nvml, open_gpu
from sda_tui.devices.reading import DeviceReading, Quantity
from sda_tui.devices.rings import Rings
from sda_tui.devices.watched import Watched

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
LENGTH = 1800  # points of each quantity: half an hour
PATIENCE_S = 5.0  # a driver that takes longer does not answer
RETRY_INTERVAL_S = 10.0  # after an error of the driver
NOTHING = Watched(None)
OF_GPU = tuple(each for each in Quantity if each.startswith("gpu"))
OF_PROCESS = tuple(each for each in Quantity if each.startswith("process"))
NO_GPU = {"cpu": "", "mps": "Apple's GPU reports no figures."}  # what is said of it on such a device


class DeviceMonitor:
    """Measures what `watch` names, from `start` to `close`.  Neither waits for a driver.

    The GPU has a thread of its own: a driver that does not answer holds up nothing else.  Both threads end
    with the process.
    """

    def __init__(
        self,
        load_nvml: Callable[[], Any] = lambda: importlib.import_module("pynvml"),
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rings = Rings(LENGTH)
        self._watched = NOTHING
        self._stop = threading.Event()
        self._interval_s = interval_s
        self._gpu = GpuState(load_nvml, clock)
        self._host_limits: Mapping[Quantity, float] = {}

    def start(self) -> None:
        """Begin to measure; once."""
        for name, work in (("device monitor", self._measure_host), ("GPU monitor", self._measure_gpu)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def watch(self, watched: Watched) -> None:
        """Measure this from now on; points of another process or GPU are dropped."""
        before, self._watched = self._watched, watched
        if before.pid != watched.pid:
            self._rings.clear(OF_PROCESS)
        if before != watched:
            self._rings.clear(OF_GPU)

    def close(self) -> None:
        """Measure no more.  Returns at once."""
        self._stop.set()

    @property
    def reading(self) -> DeviceReading:
        """All that was measured, on any thread."""
        watched = self._watched
        return DeviceReading(
            series=self._rings.copy(),
            limits={**self._host_limits, **self._gpu.limits},
            gpu_name=self._gpu.name,
            gpu_problem=NO_GPU.get(watched.device, self._gpu.problem) if watched.pid is not None else "",
            process_problem=watched.problem,
        )

    def _measure_host(self) -> None:
        host = HostSampler()
        self._host_limits = host.limits()
        while not self._stop.is_set():
            watched = self._watched
            try:
                figures = host.sample(watched.pid)
            except Exception:  # whatever a machine's /proc holds
                logger.exception("the machine cannot be measured")
                return
            if self._watched is watched:  # else they may be of another process
                self._rings.append(time.time(), figures)
            self._stop.wait(self._interval_s)

    def _measure_gpu(self) -> None:
        host = HostSampler()
        while not self._stop.is_set():
            watched = self._watched
            if watched.pid is not None and watched.device not in NO_GPU:
                figures = self._gpu.sample(watched, host.environment)
                if self._watched is watched:
                    self._rings.append(time.time(), figures)
            self._stop.wait(self._interval_s)


class GpuState:
    """The GPU that is measured, or why it is not.  Sampled by one thread, which may hang in the driver; read
    by others."""

    def __init__(self, load_nvml: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.name = ""
        self.limits: Mapping[Quantity, float] = {}
        self._load_nvml = load_nvml
        self._clock = clock
        self._nvml: Any = None
        self._gpu: NvidiaGpu | None = None
        self._watched = NOTHING
        self._reason = ""  # a sentence, of what will stay so
        self._error = ""  # the driver's, since the last answer
        self._asked_s: float | None = None  # when a call began that has not ended
        self._answered_s = clock()
        self._retry_s = 0.0

    @property
    def problem(self) -> str:
        """Why there are no figures; empty while there are."""
        if self._reason:
            return self._reason
        asked_s, now_s = self._asked_s, self._clock()
        is_silent = asked_s is not None and now_s - asked_s >= PATIENCE_S
        if not is_silent and not self._error:
            return ""
        why = f" ({self._error})" if self._error else ""
        return f"The GPU driver does not answer{why}, for {fmt.duration(now_s - self._answered_s)}."

    def sample(
        self, watched: Watched, environment_of: Callable[[int], Mapping[str, str] | None]
    ) -> Mapping[Quantity, float]:
        """Ask the driver; nothing if it fails, or failed a moment ago, or if there is no GPU."""
        now_s = self._clock()
        if watched != self._watched:
            self._watched, self._gpu, self._reason, self._error, self._retry_s = watched, None, "", "", 0.0
            self.name, self.limits, self._answered_s = "", {}, now_s
        if self._reason or (self._error and now_s < self._retry_s):
            return {}
        self._asked_s = now_s
        try:
            figures = self._ask(watched, environment_of)
        except GpuUnknownError as error:
            self._reason = str(error)
        except ImportError:
            self._reason = "The Python package nvidia-ml-py is missing, which asks the GPU's driver."
        except Exception as error:  # NVML's errors are classes that it makes as it is imported
            self._fail(error)
        else:
            self._error, self._answered_s = "", self._clock()
            return figures
        finally:
            self._asked_s = None
        return {}

    def _ask(
        self, watched: Watched, environment_of: Callable[[int], Mapping[str, str] | None]
    ) -> Mapping[Quantity, float]:
        if self._nvml is None:
            self._nvml = self._load_nvml()
        if self._gpu is None:
            assert watched.pid is not None
            self._gpu = open_gpu(self._nvml, watched, environment_of(watched.pid))
            self.name, self.limits = self._gpu.name, self._gpu.limits
        return self._gpu.read()

    def _fail(self, error: Exception) -> None:
        if self._nvml is None or not isinstance(error, self._nvml.NVMLError):
            logger.exception("the GPU cannot be measured")
            self._reason = "The GPU cannot be measured; the log has the reason."
            return
        self._reason = explain_nvml(self._nvml, error)
        self._error = str(error)
        self._retry_s = self._clock() + RETRY_INTERVAL_S
        self._gpu = None  # its handle may be of a driver that was restarted
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()
