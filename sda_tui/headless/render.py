"""`sda-tui render`: previews again, from the spectrograms beside them."""

import sys
from pathlib import Path

from core.config import SETTINGS
from core.data.report import ScanProgress
from core.engine import render_previews
from core.errors import Cancelled, ConfigError, RunError
from core.paths import default_root
from core.runs import find_run
from core.text import printable
from sda_tui import format as fmt
from sda_tui.headless.scan import progress_bar
from sda_tui.headless.signals import INTERRUPTED_STATUS
from sda_tui.look import show_path

SHOWN_PROBLEMS = 3


def render_command(
    name: str, root: Path | None, inversion: str, epoch: str | None, device: str | None
) -> int:
    """Render the previews of a run again, of one epoch or of all.  Raises SdaError, OSError."""
    run = find_run(name, root or default_root())
    quality = SETTINGS["preview_inversion"].parse(inversion)
    if epoch is not None and not epoch.isdecimal():
        raise ConfigError(f"--epoch must be a whole number, not '{epoch}'.")
    number = int(epoch[:9]) if epoch is not None else None
    done, problems = 0, list[str]()
    is_cancelled = False
    try:
        with progress_bar("rendering") as (show, cancelled):
            for each in render_previews(run, str(quality), number, device, cancelled):
                show(ScanProgress("previews", each.done, each.total))
                if each.problem:
                    problems.append(f"{each.path} stays as it is: {each.problem}.")
                else:
                    done += 1
    except Cancelled:
        is_cancelled = True
    for problem in problems[:SHOWN_PROBLEMS]:
        print(f"! {problem}", file=sys.stderr)
    if len(problems) > SHOWN_PROBLEMS:
        print(f"! and {len(problems) - SHOWN_PROBLEMS} more", file=sys.stderr)
    if not done and not is_cancelled:
        raise RunError(f"No preview of {printable(run.name)} could be rendered again.")
    what = f"{fmt.count(done, 'preview')} rendered with the {quality} inversion"
    end = "; the others are as they were" if is_cancelled else ""
    print(f"{what}: {show_path(run.previews)}{end}.", file=sys.stderr)
    return INTERRUPTED_STATUS if is_cancelled else 0
