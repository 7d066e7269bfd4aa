"""Starting the app: one process that the shell waits for, and its child, which shows and trains."""

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import termios
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SdaError
from core.paths import default_root, expand
from core.text import printable
from sda_tui.advice import command, explain
from sda_tui.handover import Handover
from sda_tui.headless.signals import take_as_sigterm
from sda_tui.multiplexer import is_remote
from sda_tui.terminal import Mode, leave_terminal, log_path, own_terminal, restore_terminal

if TYPE_CHECKING:
    from core.runs import RunDirectory
    from sda_tui.app import Leave, SdaApp
    from sda_tui.configuration.reading import Read
    from sda_tui.session import Session

STDIN, STDERR = 0, 2
FAILED, CANCELLED, KILLED_BY = 1, 130, 128  # exit statuses; to the last, the number of the signal is added
SSH_FRAMES_PER_S = "15"  # Textual's 60 are for terminals on the same machine
SWITCH_INTERVAL_S = 0.0005  # the screen gives the interpreter back to the training ten times sooner


def open_app(
    chosen: Sequence[Path],
    root: Path | None,
    demo: bool = False,
    attached: "RunDirectory | None" = None,
    listen_port: int | None = None,
    configuration: "Read | None" = None,
) -> int:
    """Show the app, on a run of another process if one is given, and return the exit status.

    Raises SdaError if there is no terminal.  The app runs in a child process, so that training can continue
    in the background when the app is left: a thread that trains cannot be moved to another process, but the
    process that the shell waits for can end.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        without = command("train", *chosen) if chosen else command("train", "--help")
        raise SdaError(f"The app needs a terminal; {without} works without one.")
    handover, before = Handover(), termios.tcgetattr(STDIN)
    # A parent that stops would give the shell the terminal while the child draws on it.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            child_process = _Child(handover, parent, before, listen_port, configuration)
            status = child_process.show_safely(chosen, root or default_root(), demo, attached)
        finally:
            os._exit(status)  # whatever happened: beyond this point is the parent's code
    return _wait_for(child, handover, before)


def _wait_for(child: int, handover: Handover, before: Mode) -> int:
    """Wait until the child ends, and clean up after one that could not; return the exit status.

    Ends at once when the child signals that it continues in the background.
    """
    signal.signal(signal.SIGUSR1, lambda _number, _frame: os._exit(handover.status))
    # When a terminal is lost, only the leader of its session gets SIGHUP, which may be this process.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: os.kill(child, number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    code = os.waitstatus_to_exitcode(status)
    if handover.has_screen:
        restore_terminal(STDIN, STDERR, before)
    if code < 0 or handover.has_screen:
        _print(f"sda-tui: {_describe_end(code, handover.run)}")
    return KILLED_BY - code if code < 0 else code


def _describe_end(code: int, path: Path | None) -> str:
    """How a process ended that printed nothing of it, and how to continue what it trained."""
    what = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    if -code == signal.SIGKILL:
        what += ", as happens when memory runs out"
    if path is not None:
        from core.events import RunState
        from core.runs import RunDirectory, summarise

        if summarise(RunDirectory(path)).state is RunState.INTERRUPTED:
            name = printable(path.name)
            return f"The program was {what}, while {name} trained. Continue with {command('resume', path)}."
    return f"The program was {what}."


class _Child:
    """The process that shows the app and trains.

    `parent` is the process that the shell waits for, `before` how the terminal was, `listen_port` where the
    listener page is served, `configuration` what was read of the user's.
    """

    def __init__(
        self,
        handover: Handover,
        parent: int,
        before: Mode,
        listen_port: int | None,
        configuration: "Read | None",
    ) -> None:
        self._handover = handover
        self._parent = parent
        self._before = before
        self._listen_port = listen_port
        self._configuration = configuration
        self._log_path = log_path()
        self._log = (self._log_path or Path(os.devnull)).open("a", encoding="utf-8", errors="replace")

    def show_safely(
        self, chosen: Sequence[Path], root: Path, demo: bool, attached: "RunDirectory | None"
    ) -> int:
        """Show the app and return the exit status; an error is printed."""
        try:
            return self._show(chosen, root, demo, attached)
        except KeyboardInterrupt:
            return CANCELLED
        except SdaError as error:
            _print(f"sda-tui: {explain(error)}")
        except Exception:
            traceback.print_exc(file=self._log)
            _print(f"sda-tui: The program failed{self._traceback_place()}.")
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
        return FAILED

    def _show(self, chosen: Sequence[Path], root: Path, demo: bool, attached: "RunDirectory | None") -> int:
        if is_remote():
            os.environ.setdefault("TEXTUAL_FPS", SSH_FRAMES_PER_S)  # read when Textual is imported
        from sda_tui.app import Leave, SdaApp

        sys.setswitchinterval(SWITCH_INTERVAL_S)
        take_as_sigterm()
        with own_terminal(self._log_path):
            app = SdaApp(
                expand(root).absolute(),
                chosen,
                demo,
                attached,
                self._note_run,
                self._listen_port,
                self._configuration,
            )
            leave = self._run(app)
            session = app.session
            # The app handled these while it ran.
            signal.signal(signal.SIGTERM, lambda _number, _frame: session.stop())
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if leave is None:
            _print(f"sda-tui: {self._describe_failure(session)}")
        status = FAILED if leave is None else 0
        if not session.is_training:
            return status
        if leave is Leave.STOP:
            _stop(session)
            return status
        if leave is Leave.KEEP_TRAINING:
            assert session.run is not None
            _print(
                f"sda-tui: {printable(session.run.name)} continues training as process {os.getpid()}.\n"
                f"{command('attach', session.run.path)} shows it again, "
                f"`kill {os.getpid()}` saves and stops it.{_describe_queue(session)}"
            )
        if leave is not Leave.TERMINAL_GONE:
            self._detach(status)
        leave_terminal()
        session.wait_through_queue()
        return status

    def _run(self, app: "SdaApp") -> "Leave | None":
        """Show the app until it is left.  None if an error ended it; its traceback is in the log."""
        from rich.console import Console

        from sda_tui.app import Leave

        app.error_console = Console(file=self._log)
        logging.basicConfig(stream=self._log)
        faulthandler.enable(self._log)
        self._handover.has_screen = True
        try:
            app.run(mouse=app.configuration.mouse)
        except KeyboardInterrupt:
            app.exit(Leave.STOP)
        except Exception:
            logging.getLogger(__name__).exception("the screen failed")
        if app.return_value is None:  # perhaps the error was met on the way out
            restore_terminal(STDIN, sys.stderr.fileno(), self._before)
        self._handover.has_screen = False
        self._log.flush()
        return app.return_value

    def _note_run(self, run: "RunDirectory") -> None:
        self._handover.run = run.path

    def _describe_failure(self, session: "Session") -> str:
        where = self._traceback_place()
        if not session.is_training:
            return f"The screen failed{where}."
        assert session.run is not None
        return (
            f"The screen failed, but {printable(session.run.name)} continues training as process "
            f"{os.getpid()}: {command('attach', session.run.path)} shows it again{where}."
        )

    def _traceback_place(self) -> str:
        return f"; the traceback is in {printable(str(self._log_path))}" if self._log_path else ""

    def _detach(self, status: int) -> None:
        """Continue in the background: the shell's next prompt comes, with this exit status."""
        os.setsid()
        self._handover.status = status
        if os.getppid() == self._parent:  # it may have been killed
            os.kill(self._parent, signal.SIGUSR1)


def _stop(session: "Session") -> None:
    """Save and stop the run that trains.  Raises SdaError if it could not be saved."""
    assert session.run is not None
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being saved already
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(CANCELLED))
    session.stop()
    _print("sda-tui: saving a checkpoint… (Ctrl-C leaves without it)")
    session.wait()
    last = session.last_state
    if last is not None and last.message and last.state != "finished":
        raise SdaError(last.message)
    _print(f"sda-tui: stopped and saved. Continue with {command('resume', session.run.path)}.")


def _describe_queue(session: "Session") -> str:
    """What else the process will train, as the end of a message."""
    try:
        waiting = [each for each in session.queue.waiting() if each.name != getattr(session.run, "name", "")]
    except SdaError:
        return ""
    if not waiting:
        return ""
    runs = "The run in the queue follows" if len(waiting) == 1 else f"{len(waiting)} runs in the queue follow"
    return f"\n{runs}; {command('queue', '--runs', session.root)} lists what waits."


def _print(message: str) -> None:
    """Write to the terminal, unless that is gone."""
    with contextlib.suppress(OSError):
        sys.stderr.write("".join(f"{printable(line)}\n" for line in message.split("\n")))
        sys.stderr.flush()
