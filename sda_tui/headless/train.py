"""`sda-tui train` and `sda-tui resume`: a run without a screen, with a progress bar."""

import queue
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from core.config import SETTINGS, TrainingConfig, find_device, find_preset, parse_assignment
from core.engine import (
    EngineEvent,
    FoundSounds,
    Runner,
    check_clip,
    create_run,
    find_sounds,
    open_start_model,
)
from core.errors import SdaError, SoundsNotFoundError
from core.events import DeviceInfo, EngineReady, EpochFinished, RunEvent, RunState, Warned
from core.paths import default_root
from core.runs import RunDirectory, RunHistory, RunManifest, estimate_time, find_target, list_runs, summarise
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import command, explain_warning
from sda_tui.headless.console import Output, print_line
from sda_tui.headless.going_back import GoingBack, go_back
from sda_tui.headless.queueing import queue_run
from sda_tui.headless.scan import progress_bar, scan_with_progress
from sda_tui.headless.signals import INTERRUPTED_STATUS, StopOnSignal
from sda_tui.look import describe_parent, show_path, summary_lines
from sda_tui.notification import RunEnd, notifier
from sda_tui.run_plan import time_sentence
from sda_tui.terminal import own_terminal

REDRAW_INTERVAL_S = 0.25


def train_command(
    sources: Sequence[Path],
    root: Path | None,
    assignments: list[str],
    device: str | None,
    preset: str | None,
    name: str | None,
    seed: str | None,
    start_text: str | None,
    is_queued: bool = False,
) -> int:
    """Scan files and folders and train on them, from the model of another run if one is named, now or
    when it is its turn.

    Raises SdaError with a message for the user.
    """
    root = root or default_root()
    values = dict(parse_assignment(each) for each in assignments)
    if seed is not None:
        values["seed"] = SETTINGS["seed"].parse(seed)
    chosen = find_preset(preset) if preset else None
    check_clip(TrainingConfig().with_settings(values).preview_clip)  # refused before the scan, not after it
    engine = Engine(device)
    start = open_start_model(start_text, root) if start_text else None
    if start is not None:
        values = start.settings(values)
    config = TrainingConfig().with_settings(
        {key: value for key, value in values.items() if key in {"chunk_duration_s", "seed"}}
    )
    report = scan_with_progress(sources, config)
    preset_name = chosen.name if chosen else report.suggested_preset
    config = find_preset(preset_name).config().with_settings(values)
    manifest = RunManifest.from_scan(report, preset_name, config, start.parent if start else None)
    if is_queued and device is None:
        return queue_run(create_run(root, name, manifest, start), root, device)
    engine.wait_until_loaded()
    time = estimate_time(manifest, engine.device, list_runs(root))
    run = create_run(root, name, manifest, start)
    about = [*summary_lines(report), *describe_parent(manifest)]
    about += [time_sentence(engine.device, time)] * (time is not None)
    if is_queued:
        return queue_run(run, root, device)
    return engine.follow(run, manifest, about)


def resume_command(
    name: str,
    root: Path | None,
    assignments: list[str],
    device: str | None,
    folder: Path | None,
    back: GoingBack,
    is_queued: bool = False,
) -> int:
    """Continue a run, or go back to an earlier checkpoint, with its sounds in another folder if one is given.

    Raises SdaError with a message for the user.
    """
    values = dict(parse_assignment(each) for each in assignments)
    target = find_target(name, root or default_root())
    run, checkpoint = target.run, back.choose(target)
    manifest = summarise(run).continued(values) if checkpoint is None else run.read_manifest()
    try:
        with progress_bar() as (show, cancelled):
            sounds = find_sounds(run, manifest, cancelled, show, folder)
    except SoundsNotFoundError as error:  # the advice is to go back to the same checkpoint
        raise SoundsNotFoundError(checkpoint or run.path, str(error)) from error
    if not _is_accepted(sounds):
        return INTERRUPTED_STATUS
    manifest, gone_back = sounds.manifest, list[str]()
    if checkpoint is not None:  # only now: without its sounds, a new run would be left untrained
        run, gone_back = go_back(run, checkpoint, back, values)
        manifest = run.read_manifest().with_sources_of(sounds.manifest)
    summary = summarise(run)
    if is_queued:
        if manifest != summary.manifest:
            run.change(manifest)
        return queue_run(run, root or default_root(), device)
    engine = Engine(device)
    engine.wait_until_loaded()
    about = [
        *gone_back,
        f"Continuing {printable(run.name)} after epoch {summary.epoch}, step {summary.step}.",
    ]
    if folder is not None:
        about.append(f"{sounds.count} of its {len(manifest.files)} sounds are in {show_path(folder)}.")
    if manifest != summary.manifest:
        run.change(manifest)
    return engine.follow(run, manifest, about)


def _is_accepted(sounds: FoundSounds) -> bool:
    """Whether to continue although sounds are missing.

    Asks only in a terminal; elsewhere the run's warnings name them.
    """
    if not sounds.missing or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print(
        f"! {printable(sounds.missing)}\nContinue with the sounds that are there? [Y/n] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return not sys.stdin.readline().strip().lower().startswith("n")


class Engine:
    """The engine's runner, driven by the main thread of a command.

    `device` is there once it is loaded.  `was_stopped` says whether a signal, Ctrl-C for one, ended the run
    that was followed last.
    """

    device: DeviceInfo

    def __init__(self, device: str | None) -> None:
        self._wanted = device
        self._devices: Sequence[DeviceInfo] = ()
        self.was_stopped = False
        self._events: queue.SimpleQueue[EngineEvent] = queue.SimpleQueue()
        self._runner = Runner(self._events.put)
        self._runner.load()

    def wait_until_loaded(self) -> None:
        """Raises SdaError if PyTorch cannot be loaded, ConfigError if there is no such device."""
        ready = self._events.get()
        assert isinstance(ready, EngineReady)
        if ready.problem:
            raise SdaError(ready.problem)
        self._devices = ready.devices
        self.device = find_device(self._wanted, ready.devices)

    def follow(
        self, run: RunDirectory, manifest: RunManifest, introduction: list[str], device: str | None = None
    ) -> int:
        """Train, on another device if one is given, show the progress on stderr, and return the exit status.

        Raises SdaError if the run failed, ConfigError if there is no such device.
        """
        device = find_device(device, self._devices).name if device else self.device.name
        history = RunHistory()
        config = manifest.config
        about = (
            f"Run {run.name} on {device}: preset {manifest.preset}, "
            f"{fmt.count(config.epochs, 'epoch')} of {fmt.count(manifest.steps_per_epoch, 'step')}, "
            f"batches of {config.batch_size}. "
            f"Ctrl-C saves and stops; resume with {command('resume', run.path)}."
        )
        with own_terminal(run.open_log()) as terminal:
            console = Output(terminal)
            for line in (*introduction, about):
                print_line(console, line)
            with StopOnSignal(self._runner.cancel) as signals, _Display(console, run, manifest) as display:
                self._runner.train(run, device)
                is_over = False
                while not is_over:
                    is_over = self._runner.wait(REDRAW_INTERVAL_S)
                    self._drain(history, display)
            self.was_stopped = signals.stopped
            if self._runner.problem:
                raise self._runner.problem
            for line in _closing_lines(run, history):
                print_line(console, line)
            _notify(RunEnd(run, history.state, history.message), signals, terminal)
        is_saved = history.state is RunState.CANCELLED and not history.message
        if history.state is not RunState.FINISHED and not is_saved:
            raise SdaError(history.message or "The run ended without a message; see its log.")
        return INTERRUPTED_STATUS if history.state is RunState.CANCELLED else 0

    def _drain(self, history: RunHistory, display: "_Display") -> None:
        """Apply all events that have arrived, then redraw once."""
        while not self._events.empty():
            event = self._events.get()
            if not isinstance(event, EngineReady):
                display.warn(event, history)
                history.apply(event, time.time())
                display.print_epoch(event, history)
        display.redraw(history)


class _Display:
    """A progress bar on a terminal; elsewhere a line per epoch."""

    def __init__(self, console: Console, run: RunDirectory, manifest: RunManifest) -> None:
        self._console = console
        self._run = run
        self._manifest = manifest
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=console,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("loading", total=manifest.total_steps, numbers="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def warn(self, event: RunEvent, history: RunHistory) -> None:
        """Print a warning if it is new, judged by the history before it."""
        if isinstance(event, Warned) and event.is_new_after(history.warning(event.kind)):
            print_line(self._console, f"! {explain_warning(event, self._run, self._manifest)}")

    def print_epoch(self, event: RunEvent, history: RunHistory) -> None:
        """Print a line per epoch where there is no bar, from the history that includes it."""
        if isinstance(event, EpochFinished) and not self._console.is_terminal:
            print_line(self._console, f"epoch {event.epoch}/{event.total_epochs}  {_numbers(history)}")

    def redraw(self, history: RunHistory) -> None:
        if history.loading:
            done = f" {history.loading.done}/{history.loading.total}"
            self._progress.update(self._task, description=history.loading.phase + done)
        elif history.state is RunState.TRAINING:
            self._progress.update(
                self._task,
                description=f"epoch {min(history.epoch, history.total_epochs)}/{history.total_epochs}",
                completed=history.step,
                numbers=_numbers(history),
            )
        self._progress.refresh()


def _notify(end: RunEnd, signals: StopOnSignal, terminal: TextIO) -> None:
    """Notify the user how a run ended, but not one who has just stopped it."""
    if end.state is RunState.CANCELLED and not end.message and signals.by_keys:
        return
    wanted = notifier()
    if terminal.isatty():
        terminal.write(wanted.sequences(end))
        terminal.flush()
    wanted.run_command(end)


def _numbers(history: RunHistory) -> str:
    step, epoch = history.last_step, history.last_epoch
    parts = [
        f"train {fmt.number(step.train_loss if step else None)}",
        f"validation {fmt.number(epoch.validation_loss if epoch else None)}",
        f"{fmt.number(history.steps_per_s, 1)} steps/s",
        f"ETA {fmt.duration(history.eta_s)}",
    ]
    return "  ".join(parts)


def _closing_lines(run: RunDirectory, history: RunHistory) -> list[str]:
    if history.message and history.state is not RunState.FINISHED:
        return []
    where = printable(str(run.path))
    match history.state:
        case RunState.FINISHED:
            finished = f"Finished after {fmt.duration(history.elapsed_s)}."
            lines = [" ".join(filter(None, (history.message, finished, f"Previews: {where}/previews")))]
        case RunState.CANCELLED:
            resume = command("resume", run.path)
            lines = [f"Stopped and saved at step {history.step}. Resume with {resume}."]
        case _:
            return []
    if (epoch := history.last_epoch) and epoch.best_validation_loss is not None:
        best = fmt.number(epoch.best_validation_loss)
        lines.append(f"Best validation loss {best} at epoch {epoch.best_epoch}: {where}/checkpoints/best.pt")
        if epoch.best_epoch < epoch.epoch:
            lines.append(
                f"Go back there, in a new run, with {command('resume', run.path, '--from', 'best')}."
            )
    return lines
