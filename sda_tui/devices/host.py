"""Figures of this machine and of one process on it, by psutil."""

from sda_tui.devices.reading import Quantity

PER_CENT = 100.0


class HostSampler:
    """Measures the machine, and the process of an id.  CPU use is that since the sample before.

    Used by one thread.
    """

    def __init__(self) -> None:
        import psutil  # the first paint does not wait for it

        self._psutil = psutil
        self._cores = psutil.cpu_count() or 1
        self._process: psutil.Process | None = None
        self._is_first = True
        self._is_first_of_process = True

    def limits(self) -> dict[Quantity, float]:
        total_bytes = float(self._psutil.virtual_memory().total)
        return {
            Quantity.PROCESS_CPU: PER_CENT,
            Quantity.HOST_CPU: PER_CENT,
            Quantity.PROCESS_MEMORY: total_bytes,
            Quantity.HOST_MEMORY: total_bytes,
        }

    def sample(self, pid: int | None) -> dict[Quantity, float]:
        """What is measured now; without a process of this id, of the machine alone."""
        memory = self._psutil.virtual_memory()
        figures = {Quantity.HOST_MEMORY: float(memory.total - memory.available)}
        use = float(self._psutil.cpu_percent())
        if not self._is_first:  # it is since when, that is not known
            figures[Quantity.HOST_CPU] = use
        self._is_first = False
        try:
            figures |= self._of_process(pid)
        except self._psutil.Error:  # it has just ended
            self._process = None
        return figures

    def _of_process(self, pid: int | None) -> dict[Quantity, float]:
        if pid is None:
            return {}
        if self._process is None or self._process.pid != pid:
            self._process, self._is_first_of_process = self._psutil.Process(pid), True
        with self._process.oneshot():
            use = self._process.cpu_percent() / self._cores
            figures = {Quantity.PROCESS_MEMORY: float(self._process.memory_info().rss)}
        if not self._is_first_of_process:
            figures[Quantity.PROCESS_CPU] = min(use, PER_CENT)
        self._is_first_of_process = False
        return figures

    def environment(self, pid: int) -> dict[str, str] | None:
        """The environment that a process was started in; None if that is not shown to this user."""
        try:
            return dict(self._psutil.Process(pid).environ())
        except (self._psutil.Error, OSError):
            return None
