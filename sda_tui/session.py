"""What the app does, without any screen: the engine, the scan, the run that this process trains."""

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.config import TrainingConfig
from core.data.report import ScanEvent, ScanReport
from core.engine import (
    EngineEvent,
    Runner,
    branch_run,
    create_run,
    find_sound,
    find_sounds,
    leave_out,
    open_start_model,
    rewind_run,
    write_audition,
)
from core.errors import Cancelled, DatasetError, RunError, SdaError
from core.events import DeviceInfo, EngineReady, RunState, StateChanged, Warned, WarningKind
from core.runs import (
    Request,
    RunDirectory,
    RunManifest,
    RunQueue,
    StartModel,
    SummaryCache,
    choose_next,
    has_live_run,
    note_end,
)
from core.text import printable
from sda_tui.advice import explain
from sda_tui.configuration.fields import WhenDone
from sda_tui.notification import Notifier, RunEnd

logger = logging.getLogger(__name__)

DELIVERY_INTERVAL_S = 0.25  # a folder of thousands must not flood the screen
QUEUE_INTERVAL_S = 2.0  # between two looks at the queue

RareEvent = EngineReady | StateChanged


@dataclass(frozen=True)
class ScanFailed:
    """Why a scan ended without a report."""

    message: str


ScanDelivery = list[ScanEvent | ScanFailed]


class Scan:
    """A scan on its own thread.  `deliver` is called there with batches of what was found."""

    def __init__(
        self, runner: Runner, chosen: Sequence[Path], deliver: Callable[[ScanDelivery], object]
    ) -> None:
        self._runner = runner
        self._chosen = chosen
        self._deliver = deliver
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._work, name="scan", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Stop within a block of samples; results from before may still be delivered."""
        self._cancelled.set()

    def _work(self) -> None:
        config = TrainingConfig()
        found: ScanDelivery = []
        delivered_s = 0.0
        try:
            for event in self._runner.scan(
                self._chosen, config.chunk_duration_s, config.seed, self._cancelled.is_set
            ):
                found.append(event)
                if isinstance(event, ScanReport) or time.monotonic() - delivered_s > DELIVERY_INTERVAL_S:
                    self._deliver(found)
                    found, delivered_s = [], time.monotonic()
        except Cancelled:
            return
        except SdaError as error:
            self._deliver([*found, ScanFailed(explain(error))])
        except Exception as error:
            logger.exception("the scan failed")
            self._deliver([*found, ScanFailed(f"The scan failed ({error}); scan again.")])


class Session:
    """Owns the engine for the life of the process.

    A subscriber gets the rare events.  It does not get steps and epochs: a screen reads these from the log
    of the run that it shows.  `on_train` is called with each run that is about to be trained.  The command of
    the `notifier` is started when a run ends, unless the user has just stopped it here; also after the screen
    was left.
    """

    def __init__(
        self,
        root: Path,
        on_train: Callable[[RunDirectory], object] = lambda _: None,
        notifier: Notifier | None = None,
    ) -> None:
        self.root = root
        self.notifier = notifier or Notifier(WhenDone())
        self.summaries = SummaryCache(root)
        self.queue = RunQueue(root)
        self.works_queue = False  # this process trains the runs in the queue, one after another
        self.queue_problem = ""  # why the work on the queue ended before its end
        self._has_trained = False  # a run trained here, and the queue was not looked at since
        self._on_train = on_train
        self._stopped: set[Path] = set()  # runs that the user stopped here
        self.devices: tuple[DeviceInfo, ...] = ()
        self.last_state: StateChanged | None = None
        # Of the run that this process trains; complete even when its log cannot be written.
        self.warnings: dict[WarningKind, str] = {}
        self.run: RunDirectory | None = None
        self._runner = Runner(self._on_event)
        self._notify: Callable[[RareEvent], object] = lambda _: None
        self._scan: Scan | None = None
        self._auditioning = threading.Lock()
        self._auditions: Path | None = None

    def subscribe(self, on_event: Callable[[RareEvent], object]) -> None:
        """Have `on_event` called with every rare event, on the engine's thread; it must return quickly."""
        self._notify = on_event

    def load_engine(self) -> None:
        """Start loading PyTorch in the background."""
        self._runner.load()

    def make_demo(self, folder: Path) -> Path:
        return self._runner.make_demo(folder)

    def scan(self, chosen: Sequence[Path], deliver: Callable[[ScanDelivery], object]) -> None:
        """Start a scan of files and folders; one that is still running is cancelled."""
        self.stop_scan()
        self._scan = Scan(self._runner, chosen, deliver)

    def stop_scan(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None

    def leave_out(self, report: ScanReport, paths: Collection[str]) -> ScanReport:
        """The scan without some of its files."""
        return leave_out(report, paths, TrainingConfig().seed)

    def audition(self, path: Path, cancelled: Callable[[], bool]) -> Path:
        """A sound of the dataset as WAV, for players; on any thread.  Raises SdaError, Cancelled.

        Those of before are deleted, all of them by `close`.
        """
        with self._auditioning:  # one at a time
            if cancelled():
                raise Cancelled
            try:
                self.close()
                folder = Path(tempfile.mkdtemp(prefix="sda-tui-"))
                self._auditions = folder
                write_audition(path, folder / "audition.wav", cancelled)
            except OSError as error:
                raise DatasetError(f"{printable(path.name)} cannot be played ({error.strerror}).") from error
            return folder / "audition.wav"

    def audition_of(self, run: RunDirectory, path: str, cancelled: Callable[[], bool]) -> Path:
        """A training sound of a run as WAV, likewise, by its path in an event."""
        return self.audition(find_sound(run, path, cancelled), cancelled)

    def close(self) -> None:
        """Delete what was made to be played."""
        if self._auditions is not None:
            shutil.rmtree(self._auditions, ignore_errors=True)
            self._auditions = None

    def open_start_model(self, run: RunDirectory) -> StartModel:
        """The model of a run at its best; on any thread.  Raises SdaError."""
        return open_start_model(str(run.path), self.root)

    def start(
        self, name: str | None, manifest: RunManifest, device: str | None, model: StartModel | None = None
    ) -> RunDirectory:
        """Make a run, of the first free name if none is given, and train it, from a model if one is given.

        Raises RunError.
        """
        self._runner.require_idle()
        run = create_run(self.root, name, manifest, model)
        self.resume(run, device)
        return run

    def resume(
        self, run: RunDirectory, device: str | None = None, changed: RunManifest | None = None
    ) -> None:
        """Train a run from its newest checkpoint, perhaps with a changed description.

        Raises RunError if another one is being trained here or if the run cannot be written.
        """
        self._runner.require_idle()
        if changed is not None:
            run.change(changed)
        self.last_state, self.warnings = None, {}
        self._stopped.discard(run.path)
        self._on_train(run)
        self.run, self._has_trained = run, True  # before its first event
        self._runner.train(run, device)

    def start_queued(
        self, name: str | None, manifest: RunManifest, device: str | None, model: StartModel | None = None
    ) -> tuple[RunDirectory, int]:
        """Make a run that waits for its turn, and return it with its place.  Raises RunError."""
        run = create_run(self.root, name, manifest, model)
        return run, self.queue.add(run.name, device)

    def work_queue(self) -> None:
        """From now on train the runs in the queue.  Raises QueueError if another process does so."""
        if not self.works_queue:
            self.queue.acquire()
            self.works_queue = True

    def tend_queue(self) -> RunDirectory | None:
        """Begin the next run in the queue if it is its turn, and return it.  To be called again and again.

        When a run that was trained here ends, this process works through what waits, unless another does.
        """
        if self.is_training:
            return None
        try:
            self._note_end()
            if not self.works_queue or has_live_run(self.root):
                return None
            entry = choose_next(self.queue)
            if entry is not None:
                run = self.queue.run(entry)
                self.resume(run, entry.device)
                return run
        except SdaError as error:
            logger.exception("the queue cannot be worked through")
            self.queue_problem = explain(error)
        self.leave_queue()
        return None

    def wait_through_queue(self) -> None:
        """Wait until nothing is being trained here, and nothing in the queue is to be."""
        while True:
            if self.wait(1.0):  # short waits, so that signals are handled
                self.tend_queue()
                if not self.is_training and not self.works_queue:
                    return
                time.sleep(QUEUE_INTERVAL_S if not self.is_training else 0)

    def leave_queue(self) -> None:
        """Begin no more run from the queue.  It stays as it is."""
        self._has_trained = False
        if self.works_queue:
            self.works_queue = False
            self.queue.release()

    def stop(self) -> None:
        """Save and stop the run that this process trains; it stays in the queue, as do the others."""
        self.leave_queue()
        self.cancel()

    def _note_end(self) -> None:
        """Take the run that has ended here out of the queue.  Raises QueueError."""
        if not self._has_trained:
            return
        self._has_trained = False
        if self.run is not None and self.last_state is not None and self.run.path.parent == self.queue.root:
            note_end(self.queue, self.run.name, RunState(self.last_state.state), self.last_state.message)
        if not self.works_queue and self.queue.waiting() and self.queue.worker() is None:
            self.work_queue()

    def go_back(self, run: RunDirectory, checkpoint: Path, is_rewind: bool) -> RunDirectory:
        """The run that continues from a checkpoint: this one, rewound, or a new one; on any thread.

        Nothing changes if its sounds are not found.  Raises RunError, also while another one is being trained
        here, CheckpointError, DatasetError.
        """
        self._runner.require_idle()
        self.find_sounds(run, run.read_manifest(), None)
        if not is_rewind:
            return branch_run(run, checkpoint, None, {})
        rewind_run(run, checkpoint, {})
        return run

    def find_sounds(self, run: RunDirectory, manifest: RunManifest, folder: Path | None) -> RunManifest:
        """The description of a run that continues, once its sounds are found; on any thread.

        They are looked for in `folder` if one is given.  Raises DatasetError.
        """
        return find_sounds(run, manifest, lambda: False, folder=folder).manifest

    @property
    def is_training(self) -> bool:
        return self._runner.is_training

    def trains(self, run: RunDirectory) -> bool:
        """Whether this process trains this run now."""
        return self.is_training and self.run is not None and self.run.path == run.path

    def is_waiting(self, run: RunDirectory) -> bool:
        """Whether this run was started here, but the engine has not begun with it: its log is an old one."""
        return self.trains(run) and self.last_state is None

    def cancel(self) -> None:
        """Save and stop the run that this process trains."""
        if self.run is not None:
            self._stopped.add(self.run.path)
        self._runner.cancel()

    def request(self, run: RunDirectory, request: Request) -> None:
        """Have a run saved or cancelled by the process that trains it.  Raises RunError if there is none.

        The result is an event in the run's log.
        """
        if not self.trains(run):
            if run.lock.holder() is None:
                raise RunError("This run is not being trained; continue it first.")
            run.requests.ask(request)
            if request == "cancel":
                self._stopped.add(run.path)
        elif request == "save":
            self._runner.save()
        else:
            self.cancel()

    def end_to_report(self, run: RunDirectory, change: StateChanged) -> RunEnd | None:
        """How a run ended; None if it has not, or if the user has just stopped it here."""
        is_known = run.path in self._stopped and change.state == RunState.CANCELLED and not change.message
        return None if is_known else RunEnd.of(run, change)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is being trained; False after `timeout_s`."""
        return self._runner.wait(timeout_s)

    def _on_event(self, event: EngineEvent) -> None:
        if isinstance(event, EngineReady):
            self.devices = event.devices
        if isinstance(event, StateChanged):
            self.last_state = event
            if self.run is not None and (end := self.end_to_report(self.run, event)) is not None:
                self.notifier.run_command(end)
        if isinstance(event, Warned):
            self.warnings[event.kind] = event.message
        if isinstance(event, EngineReady | StateChanged):
            self._notify(event)
