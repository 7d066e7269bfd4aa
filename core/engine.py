"""The engine thread, which owns torch and the model, and its queue: the app's only way into the engine.

Importing this imports neither torch nor numpy: the screen is painted before they are there.
"""

import atexit
import gc
import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import runs
from core.config import METRIC_FORMATS, EngineStatus, ExportRequest, SettingValue
from core.data.report import ScanEvent, ScanProgress, ScanReport
from core.errors import NameTakenError, RunError, SdaError
from core.events import EngineReady, RunEvent
from core.runs import RunDirectory, RunManifest, StartModel, suggest_branch_name
from core.runs.export_targets import owner, plan_targets
from core.runs.metrics import write_metrics
from core.text import first_line
from core.training.queued_run import QueuedRun

if TYPE_CHECKING:
    # What the app gets from here: it knows their types by this module alone.
    from core.synthesis.making import Made as Made
    from core.synthesis.making import Maker as Maker
    from core.synthesis.making import MakingProgress as MakingProgress
    from core.synthesis.rerender import Rerendered
    from core.synthesis.space import LatentMap as LatentMap
    from core.training.branch import Rewound

logger = logging.getLogger(__name__)

EngineEvent = RunEvent | EngineReady
Listener = Callable[[EngineEvent], None]

# torch's threads wait for each other by spinning for milliseconds: with anything else on the CPU, the screen
# for one, a step takes several times as long.  If they sleep at once, waking them takes a good part of
# a small step.  So they spin for some microseconds first (benchmarks/threads.py; the count is for libgomp).
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "300"}

FOLLOW_UP_PATIENCE_S = 5.0


def set_environment() -> None:
    """Set what the libraries under torch read when they are loaded, where the user has not."""
    # Only takes effect before CUDA starts; a setting of the run decides whether it matters.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if not WAITING.keys() & os.environ.keys():
        os.environ.update(WAITING)


@dataclass(frozen=True)
class CacheStatus:
    """Where decoded sounds are kept for the next start, how much there is and how much there may be."""

    path: Path
    size_bytes: int
    limit_bytes: int


@dataclass(frozen=True)
class FoundSounds:
    """How many of a run's sounds were found, where its description says; messages on missing and new ones."""

    manifest: RunManifest
    count: int
    missing: str
    new: str


def engine_status() -> EngineStatus:
    """What PyTorch is and sees here; loads it, on the caller's thread."""
    set_environment()
    try:
        from core.device import engine_status

        return engine_status()
    except (ImportError, OSError, RuntimeError) as error:
        return EngineStatus(problem=f"PyTorch cannot be used ({first_line(error)}).")


def cache_status() -> CacheStatus:
    """Look at the cache of decoded sounds."""
    from core.data.cache import LIMIT_BYTES, cache_root, cache_size

    return CacheStatus(cache_root(), cache_size(), LIMIT_BYTES)


def clear_cache() -> int:
    """Delete the cache of decoded sounds, and return how many bytes that freed."""
    from core.data.cache import cache_size, trim_cache

    before = cache_size()
    trim_cache(0)
    return before - cache_size()


def check_clip(text: str) -> None:
    """Check that `preview_clip` names a sound, without decoding it.  Raises SdaError if not."""
    from core.data.clip import check_clip

    check_clip(text)


def leave_out(report: ScanReport, paths: Collection[str], seed: int) -> ScanReport:
    """A scan without some of its files; see `core.data.plan.leave_out`."""
    from core.data.plan import leave_out

    return leave_out(report, paths, seed)


def write_audition(path: Path, target: Path, cancelled: Callable[[], bool]) -> None:
    """Write a sound of the dataset as WAV, to be played; see `core.data.audition`."""
    from core.data.audition import write_audition

    write_audition(path, target, cancelled)


def find_sounds(
    run: RunDirectory,
    manifest: RunManifest,
    cancelled: Callable[[], bool],
    progress: Callable[[ScanProgress], object] = lambda _: None,
    folder: Path | None = None,
) -> FoundSounds:
    """Look for a run's sounds, in another folder or file if one is given, before it continues.

    Raises DatasetError if that cannot be read or none is there, Cancelled.
    """
    from core.training.sounds import describe_missing, describe_new, find_sounds, moved_to

    if folder is not None:
        manifest = moved_to(manifest, folder)
    match = find_sounds(run, manifest, cancelled, progress)
    return FoundSounds(manifest, len(match.locations), describe_missing(match), describe_new(match))


def find_sound(run: RunDirectory, path: str, cancelled: Callable[[], bool]) -> Path:
    """Where a training sound of a run is now; see `core.training.sounds`."""
    from core.training.sounds import find_sound

    return find_sound(run, path, cancelled)


def branch_run(
    run: RunDirectory, checkpoint: Path, name: str | None, changes: Mapping[str, SettingValue]
) -> RunDirectory:
    """Make a run that continues from a checkpoint of another; see `core.training.branch`.

    Without a name it gets the next free one.  Reads the checkpoint on the caller's thread.
    """
    set_environment()
    from core.training.branch import branch

    while True:
        try:
            return branch(run, checkpoint, name or suggest_branch_name(run), changes)
        except NameTakenError:
            if name is not None:
                raise


def rewind_run(run: RunDirectory, checkpoint: Path, changes: Mapping[str, SettingValue]) -> "Rewound":
    """Make a checkpoint the one that its run continues from; see `core.training.branch`.

    Reads the checkpoint on the caller's thread.
    """
    set_environment()
    from core.training.branch import rewind

    return rewind(run, checkpoint, changes)


def open_start_model(text: str, root: Path) -> StartModel:
    """The model that a new run may start from, on any thread; see `core.training.start`."""
    set_environment()
    from core.training.start import open_start_model

    return open_start_model(text, root)


def create_run(
    root: Path, name: str | None, manifest: RunManifest, start: StartModel | None = None
) -> RunDirectory:
    """Make a run that starts from a model, or from nothing.  Raises as `core.runs.create_run` does."""
    run = runs.create_run(root, name, manifest)
    if start is not None:
        from core.training.start import copy_start_model

        try:
            copy_start_model(start, run)
        except BaseException:
            shutil.rmtree(run.path, ignore_errors=True)  # it could never begin
            raise
    return run


def render_previews(
    run: RunDirectory, inversion: str, epoch: int | None, device: str | None, cancelled: Callable[[], bool]
) -> Iterator["Rerendered"]:
    """Render a run's previews again on the caller's thread; see `core.synthesis.rerender`."""
    set_environment()
    from core.synthesis.rerender import rerender

    return rerender(run, inversion, epoch, device, cancelled)


def open_maker(
    model: Path,
    which: str | int = "best",
    device: str | None = None,
    notify: Callable[[str], object] = lambda _: None,
    progress: Callable[["MakingProgress"], object] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> "Maker":
    """What makes sounds with the model of a run or of a file, on the caller's thread.

    See `core.synthesis.making`.
    """
    set_environment()
    from core.synthesis.making import Maker

    return Maker(model, which, device, notify, progress, cancelled)


def plan_export(request: ExportRequest) -> list[Path]:
    """The absolute paths that `export` writes, in its order.  Makes the folder for them.

    Raises ConfigError, ExportError; see `core.runs.export_targets`.
    """
    targets = plan_targets(request)
    kinds = (*METRIC_FORMATS, *request.kinds)
    return [path for kind in kinds for path in targets.get(kind, ())]


def export(request: ExportRequest) -> Iterator[Path]:
    """Write what is requested, on the caller's thread, and yield the path of each file when it is there.

    All names are checked before the first file is written.  Raises SdaError; what is written by then stays.
    """
    targets = plan_targets(request)
    run = owner(request.model)
    for kind in METRIC_FORMATS:
        if run is not None and kind in targets:
            yield from write_metrics(run, request, targets[kind])
    if request.kinds:
        set_environment()
        from core.synthesis.export.job import export_model

        yield from export_model(request, targets)


class Runner:
    """Runs one training at a time on a thread of its own, until it is closed or the process ends.

    `listener` is called on that thread, in order, with every event; it must return quickly.
    """

    def __init__(self, listener: Listener = lambda _: None) -> None:
        self._listener = listener
        self._queue: queue.SimpleQueue[QueuedRun | None] = queue.SimpleQueue()
        self._run: QueuedRun | None = None
        self._thread: threading.Thread | None = None
        self._is_leaving = threading.Event()
        self._is_free = threading.Event()  # of follow-ups
        self._is_free.set()

    def load(self) -> None:
        """Begin to load the engine, which takes seconds; EngineReady is emitted when it is there."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    def scan(
        self, chosen: Sequence[Path], chunk_duration_s: float, seed: int, cancelled: Callable[[], bool]
    ) -> Iterator[ScanEvent]:
        """Examine files and folders on the caller's thread; see `core.data.scan.scan`."""
        from core.data.scan import scan

        return scan(chosen, chunk_duration_s, seed, cancelled)

    def make_demo(self, folder: Path) -> Path:
        """Synthesise the demo sounds into `folder`, unless they are there."""
        from core.data.demo import make_demo_sounds

        return make_demo_sounds(folder)

    def train(self, run: RunDirectory, device: str | None = None) -> None:
        """Start a run, or continue it from its newest checkpoint.  Raises RunError while another one trains.

        Returns at once; events go to the listener and to the run's log.
        """
        self.require_idle()
        self.load()
        self._run = QueuedRun(run, device)
        self._queue.put(self._run)

    def require_idle(self) -> None:
        """Raise RunError while a run trains here, and after `close`."""
        if self._is_leaving.is_set():
            raise RunError("No run can be started any more: the program is being left.")
        if self.is_training:
            raise RunError("A run is being trained; wait for it or cancel it first.")

    @property
    def is_training(self) -> bool:
        return self._run is not None and not self._run.ended.is_set()

    @property
    def problem(self) -> SdaError | None:
        """Why the last run could not even be opened.  How others end is reported as a state."""
        return self._run.problem if self._run else None

    def cancel(self) -> None:
        """Ask the run to stop with its state saved.  Answered within a second."""
        if self._run is not None:
            self._run.cancel(self._listener)

    def save(self) -> None:
        """Request a checkpoint that is kept."""
        if self._run is not None:
            self._run.control.save()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until no run trains; False if one still does."""
        return self._run is None or self._run.ended.wait(timeout_s)

    def close(self) -> None:
        """End the thread.  A follow-up is broken off; a run is trained to its end first.

        No run can be started afterwards.  Also called when the interpreter exits: torch aborts the process if
        it is torn down while it works.
        """
        atexit.unregister(self.close)
        self._is_leaving.set()
        self._queue.put(None)
        if not self.is_training:
            self._is_free.wait(FOLLOW_UP_PATIENCE_S)

    def _work(self) -> None:
        set_environment()
        try:
            from core.device import list_devices
            from core.training import run  # noqa: F401  (the slow imports, done before they are needed)

            self._listener(EngineReady(tuple(list_devices())))
        except (ImportError, OSError, RuntimeError) as error:
            problem = f"PyTorch cannot be loaded ({error}); README has how to install it."
            self._listener(EngineReady((), problem))
        # torch brings a quarter of a million objects; walking them on each full collection takes 150 ms.
        # Only once: a later freeze would also keep the garbage of earlier engines for good.
        if not gc.get_freeze_count():
            gc.freeze()
        while (queued := self._queue.get()) is not None:
            self._is_free.clear()
            queued.execute(self._listener)
            if not self._is_leaving.is_set():
                queued.follow_up(self._listener, self._is_needed)
            self._is_free.set()

    def _is_needed(self) -> bool:
        return self._is_leaving.is_set() or not self._queue.empty()
