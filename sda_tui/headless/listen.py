"""`sda-tui listen`: the page with the previews of a run, whether it trains, where, or has ended."""

import asyncio
import signal
import sys
from pathlib import Path

from core.errors import RunError
from core.paths import default_root
from core.runs import RunDirectory, find_run, list_runs
from core.text import printable
from sda_tui.followed_run import FollowedRun
from sda_tui.listen.library import Library
from sda_tui.listen.player import PagePlayer
from sda_tui.listen.remembered import Remembered
from sda_tui.listen.tunnel import guess_login, tunnel_line

POLL_INTERVAL_S = 0.5
CATCH_UP_INTERVAL_S = 0.02


def listen_command(name: str | None, root: Path | None, port: int | None) -> int:
    """Serve the page until Ctrl-C.  Raises SdaError."""
    folder = root or default_root()
    run = find_run(name, folder) if name else _newest(folder)
    followed = FollowedRun(run, lambda _: False)
    if followed.manifest is None:
        raise RunError(followed.problem)
    asyncio.run(_serve(followed, port))
    return 0


def _newest(root: Path) -> RunDirectory:
    """The newest run that is trained now, else the newest.  Raises RunError if there is none."""
    summaries = list_runs(root)
    if not summaries:
        raise RunError(f"There is no run in {printable(str(root))}; --runs names another folder.")
    return next((each for each in summaries if each.state.is_active), summaries[0]).run


async def _serve(followed: FollowedRun, port: int | None) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    remembered = Remembered.load()
    page = PagePlayer(
        remembered, port, lambda _: None, lambda: None, lambda: None, Library(has_terminal=False)
    )
    server = page.serve()
    print(tunnel_line(server.port, remembered.login or guess_login()))
    print(server.address, flush=True)
    print(
        f"{printable(followed.directory.name)}: paste the first line on your own computer, open the second "
        "there in a browser.  Ctrl-C ends this.",
        file=sys.stderr,
    )
    try:
        while not stopped.is_set():
            followed.poll()
            history = followed.history
            if not followed.is_reading:
                best = history.last_epoch.best_epoch if history.last_epoch else 0
                page.show(page.library.show_run(followed.directory, followed.state, best, history.previews))
            pause_s = POLL_INTERVAL_S if followed.has_caught_up else CATCH_UP_INTERVAL_S
            try:
                await asyncio.wait_for(stopped.wait(), pause_s)
            except TimeoutError:
                continue
    finally:
        page.close("The page is not served any more.")
        await asyncio.sleep(0)  # for the farewell to leave
        if sys.stderr.isatty():
            print(file=sys.stderr)  # after the ^C of the terminal
        followed.close()
