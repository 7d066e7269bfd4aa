"""A run continues here: what may be said before, and the way from its sounds to the first step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.message_pump import MessagePump

from core.config import SETTINGS, SettingValue
from core.errors import RunFinishedError, RunStoppedError, SdaError, SoundsNotFoundError
from core.events import RunState
from core.runs import RunDirectory, RunManifest, RunSummary, summarise
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.keymap import key_of
from sda_tui.look import describe_state
from sda_tui.session import Session


@dataclass(frozen=True)
class Continuation:
    """A run as it would continue.  `has_folder`: the folder of its sounds is there; `host` is the machine of
    the process that trains it now, if one does."""

    summary: RunSummary
    has_folder: bool
    host: str = ""

    @classmethod
    def of(cls, run: RunDirectory) -> "Continuation":
        """Look at a run; on any thread, since a disk may be slow."""
        summary = summarise(run)
        holder = run.lock.holder() if summary.state.is_active else None
        has_folder = summary.manifest is None or summary.manifest.has_folder
        return cls(summary, has_folder, holder.host if holder is not None else "")

    @property
    def is_longer(self) -> bool:
        """Whether it can only continue for more epochs than it was to take."""
        return self.summary.state is RunState.FINISHED

    @property
    def suggested_epochs(self) -> int:
        return suggest_epochs(self.summary)

    def why_not(self, session: Session) -> str:
        """Why it cannot continue here now, as a sentence; empty if nothing is in the way."""
        summary = self.summary
        if summary.manifest is None:
            return summary.problem
        if session.trains(summary.run):
            return "It is being trained here."
        if summary.state.is_active:
            where = f" on {printable(self.host)}" if self.host else ""
            return f"Process {summary.holder_pid}{where} trains it now; wait for it, or cancel it there."
        if session.is_training:
            other = printable(session.run.name) if session.run is not None else "Another run"
            return f"{other} is being trained here; wait for it, or cancel it first."
        return ""

    def describe(self) -> str:
        """Where it stands: "■ cancelled at step 54 of 160, in epoch 14 of 40"."""
        summary = self.summary
        if summary.manifest is None:
            return ""
        epochs = summary.manifest.config.epochs
        if self.is_longer and summary.epoch < epochs:
            return f"{describe_state(summary.state)} early, at epoch {summary.epoch} of {epochs}"
        if self.is_longer:
            done = "its only epoch is" if epochs == 1 else f"all {epochs} epochs are"
            return f"{describe_state(summary.state)}: {done} done, {fmt.count(summary.step, 'step')}"
        if summary.step == 0:
            return f"{describe_state(summary.state)} before its first checkpoint: it starts again"
        return (
            f"{describe_state(summary.state)}; saved at step {summary.step} of {summary.manifest.total_steps}"
            f", epoch {summary.epoch} of {epochs}"
        )

    def label(self) -> str:
        """What the button says."""
        if self.is_longer:
            return "Train longer"
        if self.summary.step == 0:
            return "Start again"
        return f"Continue from step {self.summary.step} (epoch {self.summary.epoch})"

    def estimate(self, epochs: str) -> str:
        """What as many epochs in all as a user wrote come to; a sentence also if that cannot be."""
        try:
            wanted = SETTINGS["epochs"].parse(epochs)
            manifest = self.summary.continued({"epochs": wanted})
        except SdaError as error:
            return f"✗ {explain_here(error)}"
        steps = manifest.total_steps - self.summary.step
        more = f"{fmt.count(steps, 'more step')}"
        last = self.summary.last_epoch
        if last is None or last.step <= 0 or last.elapsed_s <= 0:
            return f"{more}."
        return f"{more}, about {fmt.duration(steps * last.elapsed_s / last.step)} at the speed so far."


def suggest_epochs(summary: RunSummary) -> int:
    """Epochs in all to suggest: twice as many of a run that has done its own."""
    assert summary.manifest is not None
    epochs = summary.manifest.config.epochs
    return 2 * epochs if summary.state is RunState.FINISHED and summary.epoch >= epochs else epochs


def continue_run(
    screen: MessagePump,
    session: Session,
    summary: RunSummary,
    changes: Mapping[str, SettingValue],
    folder: Path | None,
    done: Callable[[RunDirectory], object],
    fail: Callable[[SdaError | str], object],
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Train a run from its newest checkpoint with these settings changed.

    Its sounds are looked for first.  Then `done` or `fail` is called, on the screen's thread; neither, and
    nothing changes, if it is not wanted any more by then.
    """

    def go(changed: RunManifest | None) -> None:
        session.resume(summary.run, changed=changed)
        done(summary.run)

    find_sounds_first(screen, session, summary, changes, folder, go, fail, is_wanted)


def find_sounds_first(
    screen: MessagePump,
    session: Session,
    summary: RunSummary,
    changes: Mapping[str, SettingValue],
    folder: Path | None,
    go: Callable[[RunManifest | None], object],
    fail: Callable[[SdaError | str], object],
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Look for the sounds of a run, beside the screen, in `folder` if one is given.

    Without them nothing of the run may change.  Then `go`, with its description if that changes, or `fail` is
    called on the screen's thread, neither if it is not wanted any more.  `go` may raise SdaError.
    """
    try:
        manifest = summary.continued(changes)
    except SdaError as error:
        fail(error)
        return

    def find() -> RunManifest | SdaError:
        try:
            return session.find_sounds(summary.run, manifest, folder)
        except SdaError as error:
            return error

    def take(found: RunManifest | SdaError) -> None:
        if not is_wanted():
            return
        if isinstance(found, SdaError):
            fail(found)
            return
        try:
            go(found if found != summary.manifest else None)
        except SdaError as error:
            fail(error)

    read_beside(screen, find, take, fail)


def explain_here(error: SdaError | str) -> str:
    """An error's message, and what to do on a screen, where no command is typed."""
    match error:
        case str():
            return error
        case RunFinishedError():
            return f"{error} Write more than {error.epochs}."
        case RunStoppedError():
            return f"{error} In the list of runs, {key_of('runs.settings')} changes that."
        case SoundsNotFoundError():
            return f"{error} Write where they are now."
    return explain(error)
