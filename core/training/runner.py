"""The thread that owns torch, and the only door to it.  Importing this imports no torch."""

import gc
import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from core.data.demo import make_demo_sounds
from core.data.report import ScanEvent
from core.data.scan import scan
from core.errors import RunError, SdaError
from core.events import EngineReady, RunEvent
from core.runs import RunDirectory
from core.training.control import Control

EngineEvent = RunEvent | EngineReady
_Job = Callable[[], None]


class Runner:
    """Runs one training at a time on a thread of its own, which lives as long as the process.

    `listener` is called on that thread, in order, with every event; it must return quickly.
    """

    def __init__(self, listener: Callable[[EngineEvent], None] = lambda _: None) -> None:
        self._listener = listener
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._control = Control()
        self._idle = threading.Event()
        self._idle.set()
        self._problem: SdaError | None = None
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Begin to load the engine, which takes seconds; EngineReady is told when it is there."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
            self._thread.start()

    def scan(
        self, folder: Path, chunk_duration_s: float, seed: int, cancelled: Callable[[], bool]
    ) -> Iterator[ScanEvent]:
        """Examine a folder on the caller's thread; see `core.data.scan.scan`."""
        return scan(folder, chunk_duration_s, seed, cancelled)

    def make_demo(self, folder: Path) -> Path:
        """Synthesise the demo sounds into `folder`, unless they are there."""
        return make_demo_sounds(folder)

    def train(self, run: RunDirectory, device: str | None = None) -> None:
        """Start a run, or continue it from its newest checkpoint.  Raises RunError while another one goes on.

        Returns at once; what happens is told to the listener and stands in the run's log.
        """
        if not self._idle.is_set():
            raise RunError("A run is going on; wait for it or cancel it first.")
        self.load()
        self._idle.clear()
        self._control = control = Control()
        self._problem = None

        def job() -> None:
            try:
                from core.training.job import train_run

                train_run(run, device, control, self._listener)
            except SdaError as error:
                self._problem = error
            except (ImportError, OSError) as error:
                self._problem = RunError(f"The run {run.name} cannot be opened ({error}).")
            finally:
                self._idle.set()

        self._jobs.put(job)

    @property
    def is_training(self) -> bool:
        return not self._idle.is_set()

    def cancel(self) -> None:
        """Ask the run to stop with its state saved.  Answered within a second."""
        self._control.cancel()

    def save(self) -> None:
        """Ask for a checkpoint that is kept."""
        self._control.save()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until no run goes on; False if it still does."""
        return self._idle.wait(timeout_s)

    @property
    def problem(self) -> SdaError | None:
        """Why the last run could not even be opened.  How others end is told as a state."""
        return self._problem

    def _work(self) -> None:
        # Only takes effect before CUDA starts; a setting of the run decides whether it matters.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        try:
            from core.device import list_devices
            from core.training import job  # noqa: F401  (the slow imports, done before they are needed)

            self._listener(EngineReady(tuple(list_devices())))
        except (ImportError, OSError, RuntimeError) as error:
            self._listener(
                EngineReady((), f"PyTorch cannot be loaded ({error}); README tells how to install it.")
            )
        # torch brings a quarter of a million objects; walking them on each full collection takes 150 ms.
        gc.freeze()
        while True:
            self._jobs.get()()
