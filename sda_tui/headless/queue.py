"""`sda-tui queue`: runs that wait for their turn to be trained."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import RunError, SdaError
from core.events import RunState
from core.paths import default_root
from core.runs import QueueEntry, RunDirectory, RunQueue, choose_next, has_live_run, note_end, summarise
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import command, explain
from sda_tui.headless.console import Output, print_line
from sda_tui.headless.signals import INTERRUPTED_STATUS
from sda_tui.headless.train import Engine
from sda_tui.look import describe_state

ACTIONS = ("list", "run", "remove")
LOOK_INTERVAL_S = 2.0


def queue_command(action: str, names: Sequence[str], root: Path | None, as_json: bool) -> int:
    """List the queue, work through it, or take runs out of it.  Raises SdaError."""
    queue = RunQueue(root or default_root())
    if action == "run":
        return work_through(queue)
    if action == "remove":
        for name in names:
            if not queue.remove(Path(name).name):
                raise RunError(f"'{printable(name)}' is not in the queue.")
            print_line(Output(), f"{printable(Path(name).name)} waits no more.")
        return 0
    return _list(queue, as_json)


def _list(queue: RunQueue, as_json: bool) -> int:
    entries, worker = queue.entries(), queue.worker()
    states = {entry.name: _state(queue, entry) for entry in entries}
    if as_json:
        record = {
            "runs": [{**entry.to_dict(), "state": states[entry.name]} for entry in entries],
            "pid": worker.pid if worker else None,
        }
        sys.stdout.write(json.dumps(record, indent=1) + "\n")
        return 0
    console = Output()
    if not entries:
        how = command("train", "--queue", "--help")
        print_line(console, f"No run waits in {printable(str(queue.root))}. {how} says how to queue one.")
        return 0
    place = 0
    for entry in entries:
        name = printable(entry.name)
        if entry.problem:
            print_line(console, f" ✗  {name}: {entry.problem}")
        else:
            place += 1
            on = f", on {entry.device}" if entry.device else ""
            print_line(console, f"{place:>2}  {name}: {states[entry.name]}{on}")
    if worker is not None:
        print_line(console, f"Process {worker.pid} on {worker.host} works through them.")
    elif place:
        begin = command("queue", "run", "--runs", queue.root)
        if has_live_run(queue.root):
            print_line(console, f"They follow the run that the app trains; {begin} works without the app.")
        else:
            print_line(console, f"No process works through them; {begin} does.")
    return 0


def _state(queue: RunQueue, entry: QueueEntry) -> str:
    try:
        summary = summarise(queue.run(entry))
        is_new = summary.step == 0 and summary.state is RunState.INTERRUPTED
        return "not begun" if is_new else summary.state.value
    except SdaError:
        return RunState.INTERRUPTED.value


def work_through(queue: RunQueue) -> int:
    """Train the runs in the queue, one after another, until none waits; return the exit status.

    A run that fails does not end it.  The first Ctrl-C saves and stops the run, which stays the first.
    """
    console = Output(sys.stderr)
    queue.acquire()
    try:
        engine: Engine | None = None
        trained, failed = 0, 0
        while (entry := _wait_for_next(queue, console)) is not None:
            if engine is None:
                engine = Engine(None)
                engine.wait_until_loaded()
            state, problem = _train(engine, queue.run(entry), entry.device)
            if engine.was_stopped:
                stay = "It stays first in the queue"
                print_line(console, f"{stay}; {command('queue', 'run', '--runs', queue.root)} continues.")
                return INTERRUPTED_STATUS
            note_end(queue, entry.name, state, problem)
            trained, failed = trained + 1, failed + bool(problem)
            if problem:
                print_line(console, f"✗ {printable(entry.name)}: {problem}")
        if failed:
            raise RunError(f"{failed} of {fmt.count(trained, 'run')} failed; the others are done.")
        print_line(console, f"The queue is done: {fmt.count(trained, 'run')} trained.")
    finally:
        queue.release()
    return 0


def _wait_for_next(queue: RunQueue, console: Output) -> QueueEntry | None:
    """The next run, once no process trains one below the same folder."""
    is_waiting = False
    while queue.waiting() and has_live_run(queue.root):
        if not is_waiting:
            print_line(console, "Another process trains a run in this folder; waiting for its end.")
            is_waiting = True
        time.sleep(LOOK_INTERVAL_S)
    return choose_next(queue)


def _train(engine: Engine, run: RunDirectory, device: str | None) -> tuple[RunState, str]:
    """How the training of a run ended, with the problem if it failed."""
    about = f"{describe_state(RunState.LOADING)} {printable(run.name)}, the next in the queue."
    try:
        status = engine.follow(run, run.read_manifest(), [about], device)
    except SdaError as error:
        return RunState.FAILED, explain(error)
    return (RunState.CANCELLED if status == INTERRUPTED_STATUS else RunState.FINISHED), ""
