"""What whoever works through a queue asks and reports: which run is next, and how one ended."""

from pathlib import Path

from core.errors import RunError
from core.events import RunState
from core.runs.directory import RunDirectory
from core.runs.find import is_run
from core.runs.queue import QueueEntry, RunQueue
from core.runs.summary import list_run_folders, summarise


def choose_next(queue: RunQueue) -> QueueEntry | None:
    """The first run that waits and can be trained.  Raises QueueError.

    Those before it that have nothing left to do are taken out; those that cannot be trained get the reason.
    """
    for entry in queue.waiting():
        run = queue.run(entry)
        if not is_run(run.path):
            queue.fail(entry.name, "There is no such run any more.")
            continue
        summary = summarise(run)
        if summary.manifest is None:
            queue.fail(entry.name, summary.problem)
        elif summary.state is RunState.FINISHED and summary.manifest.total_steps <= summary.step:
            queue.remove(entry.name)
        else:
            return entry
    return None


def note_end(queue: RunQueue, name: str, state: RunState, message: str) -> None:
    """Take a run whose training has ended out of the queue; one that failed stays, with the reason.

    Raises QueueError.
    """
    if state is RunState.FAILED:
        queue.fail(name, message)
    elif not state.is_active:
        queue.remove(name)


def has_live_run(root: Path) -> bool:
    """Whether a process trains a run below `root`: the others wait for their turn."""
    try:
        return any(RunDirectory(path).lock.holder() for path in list_run_folders(root))
    except RunError:
        return False
