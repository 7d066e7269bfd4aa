"""`--queue` of `sda-tui train` and `resume`: the run waits for its turn."""

from pathlib import Path

from core.errors import RunError
from core.runs import RunDirectory, RunQueue
from core.text import printable
from sda_tui.advice import command
from sda_tui.headless.console import Output, print_line


def queue_run(run: RunDirectory, root: Path, device: str | None) -> int:
    """Put a run last, and print its place.  Raises RunError if it is not in the folder of runs."""
    queue = RunQueue(root)
    if run.path.parent != queue.root:
        raise RunError(
            f"{printable(str(run.path))} is not in the folder of runs {printable(str(queue.root))}, "
            "whose queue this is."
        )
    place = queue.add(run.name, device)
    console = Output()
    print_line(console, f"{printable(run.name)} waits for its turn: number {place} in the queue.")
    if queue.worker() is None:
        print_line(console, f"Work through the queue with {command('queue', 'run', '--runs', root)}.")
    return 0
