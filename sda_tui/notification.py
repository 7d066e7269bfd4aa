"""Notifying the user that a run has ended: by the terminal, and by a command of the user's."""

import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import RunError
from core.events import RunState, StateChanged
from core.runs import RunDirectory
from core.text import one_line, printable
from sda_tui.configuration.fields import WhenDone
from sda_tui.configuration.reading import read_configuration
from sda_tui.multiplexer import multiplexer

BELL = "\a"
TITLE = "sda-tui"
# Terminals that know both OSC 9 and OSC 777, and would show both; of others it is not known which they know.
KNOWS_BOTH = ("xterm-kitty", "xterm-ghostty", "foot", "wezterm")


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    run: RunDirectory
    state: RunState
    message: str

    @classmethod
    def of(cls, run: RunDirectory, change: StateChanged) -> "RunEnd | None":
        """None for a run that has not ended."""
        state = RunState(change.state)
        return None if state.is_active else cls(run, state, change.message)

    @property
    def text(self) -> str:
        """A line for the user."""
        how = {RunState.FINISHED: "has finished", RunState.CANCELLED: "was stopped"}.get(self.state, "failed")
        return one_line(f"{self.run.name} {how}{f': {self.message}' if self.message else '.'}")


class Notifier:
    """Does what the user wants when a run ends.  Nothing here waits, and nothing raises."""

    def __init__(self, wanted: WhenDone, environment: Mapping[str, str] = os.environ) -> None:
        self._wanted = wanted
        self._environment = environment

    def sequences(self, end: RunEnd) -> str:
        """What is to be written to a terminal; may be empty."""
        bell = BELL if self._wanted.bell else ""
        return bell + (self._notification(end.text) if self._wanted.terminal else "")

    def _notification(self, text: str) -> str:
        """OSC 9 (iTerm2) and OSC 777 (urxvt, VTE, Konsole), wrapped so that tmux and screen pass them on."""
        shown = printable(text).replace(";", ",")
        sequences = [f"\x1b]777;notify;{TITLE};{shown}\a"]
        if not self._environment.get("TERM", "").startswith(KNOWS_BOTH):
            sequences.insert(0, f"\x1b]9;{shown}\a")
        match multiplexer(self._environment):
            case "tmux":
                return "".join(
                    "\x1bPtmux;" + each.replace("\x1b", "\x1b\x1b") + "\x1b\\" for each in sequences
                )
            case "screen":
                return "".join(f"\x1bP{each}\x1b\\" for each in sequences)
        return "".join(sequences)

    def run_command(self, end: RunEnd) -> None:
        """Start the user's command; what it prints, and how it fails, is in the run's log."""
        if not self._wanted.command:
            return
        environment = {
            **self._environment,
            "SDA_RUN": str(end.run.path),
            "SDA_STATE": end.state.value,
            "SDA_MESSAGE": end.text,
        }
        try:
            log = end.run.open_log()
        except RunError:
            log = os.open(os.devnull, os.O_WRONLY)
        try:
            process = subprocess.Popen(
                self._wanted.command,
                shell=True,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # it outlives this process, and no key of the terminal ends it
            )
        except (OSError, ValueError) as error:
            _write(log, f"The command when done cannot be started ({error}).")
            os.close(log)
            return
        threading.Thread(target=_await_end, args=(process, log), name="when done", daemon=True).start()


def _await_end(process: "subprocess.Popen[bytes]", log: int) -> None:
    status = process.wait()
    if status:
        _write(log, f"The command when done ended with status {status}.")
    os.close(log)


def _write(log: int, line: str) -> None:
    try:
        os.write(log, f"{one_line(line)}\n".encode(errors="replace"))
    except OSError:  # a full disk, and the run itself has ended
        return


def notifier() -> Notifier:
    """What is done when a run ends, as the configuration file says."""
    return Notifier(read_configuration().configuration.when_done)
