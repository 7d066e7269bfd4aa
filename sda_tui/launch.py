"""Starting the app: one process that the shell waits for, and its child, which shows and trains."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from core.errors import SdaError
from core.paths import default_root, expand
from core.text import printable
from sda_tui.advice import explain
from sda_tui.terminal import leave_terminal, own_terminal

if TYPE_CHECKING:
    from core.runs import RunDirectory

SSH_FRAMES_PER_S = "15"  # Textual's 60 are for terminals on the same machine
SWITCH_INTERVAL_S = 0.0005  # the screen gives the interpreter back to the training ten times sooner


def open_app(
    chosen: Sequence[Path], root: Path | None, demo: bool = False, attached: "RunDirectory | None" = None
) -> int:
    """Show the app, on a run of another process if one is given, and return the exit status.

    Raises SdaError if there is no terminal.  The app runs in a child process, so that training can continue
    in the background when the app is left: a thread that trains cannot be moved to another process, but the
    process that the shell waits for can end.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SdaError("The app needs a terminal; `sda-tui train FOLDER` works without one.")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = _show_safely(chosen, root or default_root(), demo, attached)
        finally:
            os._exit(status)  # whatever happened: beyond this point is the parent's code
    return _wait_for(child)


def _wait_for(child: int) -> int:
    """Wait until the child ends; end at once when it signals that it continues in the background."""
    signal.signal(signal.SIGUSR1, lambda _number, _frame: os._exit(0))
    # When a terminal is lost, only the leader of its session gets SIGHUP, which may be this process.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: os.kill(child, number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _show_safely(chosen: Sequence[Path], root: Path, demo: bool, attached: "RunDirectory | None") -> int:
    """Show the app and return its exit status; an error is printed."""
    try:
        return _show(chosen, root, demo, attached)
    except SdaError as error:
        _print(f"sda-tui: {explain(error)}")
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    return 1


def _show(chosen: Sequence[Path], root: Path, demo: bool, attached: "RunDirectory | None") -> int:
    if "SSH_CONNECTION" in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", SSH_FRAMES_PER_S)  # read when Textual is imported
    from sda_tui.app import Leave, SdaApp

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with own_terminal(_log_path()):
        app = SdaApp(expand(root).absolute(), chosen, demo, attached)
        leave = app.run(mouse=True)
        session = app.session
        # The app handled these while it ran.
        signal.signal(signal.SIGTERM, lambda _number, _frame: session.cancel())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    status = app.return_code or 0
    if not session.is_training:
        return status
    assert session.run is not None
    if leave is Leave.STOP or leave is None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being saved already
        session.cancel()
        _print("sda-tui: saving a checkpoint…")
        session.wait()
        if session.last_state is not None and session.last_state.message:
            raise SdaError(session.last_state.message)
        _print(f"sda-tui: stopped and saved. Continue with `sda-tui resume {session.run.name}`.")
        return status
    if leave is Leave.KEEP_TRAINING:
        from sda_tui.look import show_path

        _print(
            f"sda-tui: {session.run.name} continues training as process {os.getpid()}.\n"
            f"`sda-tui attach {show_path(session.run.path)}` shows it again, "
            f"`kill {os.getpid()}` saves and stops it."
        )
        os.setsid()
        os.kill(os.getppid(), signal.SIGUSR1)
    leave_terminal()
    while not session.wait(1.0):  # short waits, so that signals are handled
        continue
    return 0


def _print(message: str) -> None:
    """Write to the terminal, unless that is gone."""
    with contextlib.suppress(OSError):
        sys.stderr.write("".join(f"{printable(line)}\n" for line in message.split("\n")))
        sys.stderr.flush()


def _log_path() -> Path | None:
    """The file that gets stray output of libraries while the app has the screen."""
    try:
        return platformdirs.user_log_path("sda-tui", ensure_exists=True) / "app.log"
    except OSError:
        return None
