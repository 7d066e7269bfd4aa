"""A command of the app in a pseudo-terminal: it must paint, leave when asked, and pass on nothing hostile."""

import contextlib
import dataclasses
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import partial

from sda_tui.cli import main
from tests.faults.child import Outcome, run_forked, use_streams

SIZE = struct.pack("HHHH", 36, 120, 0, 0)
QUIET_S = 1.0  # without output: all is painted
LONGEST_PAINT_S = 20.0
ASK_INTERVAL_S = 3.0
LEAVE = b"\x11"  # ctrl+q
HUNG = 97
# What run mutants hold, and the app has no reason to send of its own accord.
TELLTALES = ("\x1b]0;PWNED", "\x1b[31mPWNED", "\x9b31mPWNED", "\u202e", "\u2028", "\u2066")
SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|.)")
SHOWN_CHARACTERS = 3000


def show_in_terminal(words: Sequence[str], limit_s: float, environment: Mapping[str, str]) -> Outcome:
    """How a command ends that is shown until it is quiet, and then asked to leave.

    Its `stderr` is the text of the screen's end, if something went wrong.
    """
    outcome = run_forked(partial(_drive, words, limit_s), limit_s + 30, environment)
    return dataclasses.replace(outcome, hung=outcome.hung or outcome.status == HUNG)


def _drive(words: Sequence[str], limit_s: float) -> int:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
    app = os.fork()
    if app == 0:
        _become_app(words, slave)
    os.close(slave)
    output, status = _watch(app, master, limit_s)
    said = output.decode("utf-8", "replace")
    passed_on = [telltale for telltale in TELLTALES if telltale in said]
    plain = SEQUENCE.sub("", said)
    plain = "".join(char if char.isprintable() or char == "\n" else " " for char in plain)
    if status != 0 or "Traceback" in plain:
        sys.stderr.write(plain[-SHOWN_CHARACTERS:])
    if passed_on:
        sys.stderr.write(f"passed on {passed_on!r}")
        return 3
    return status


def _become_app(words: Sequence[str], slave: int) -> None:
    status = 1
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        use_streams(slave, slave, slave)
        os.environ["TERM"] = "xterm-256color"
        status = main(list(words))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(app: int, master: int, limit_s: float) -> tuple[bytes, int]:
    """What the app sent, and its exit status."""
    output = b""
    started_s = asked_s = quiet_since_s = time.monotonic()
    while True:
        now_s = time.monotonic()
        if select.select([master], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):
                output += os.read(master, 65_536)
            quiet_since_s = now_s if output else quiet_since_s
        done, status = os.waitpid(app, os.WNOHANG)
        if done:
            with contextlib.suppress(OSError):
                while select.select([master], [], [], 0.1)[0]:
                    output += os.read(master, 65_536)
            return output, os.waitstatus_to_exitcode(status)
        if now_s - started_s > limit_s:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(app, signal.SIGKILL)
            os.waitpid(app, 0)
            return output, HUNG
        has_painted = (output and now_s - quiet_since_s > QUIET_S) or now_s - started_s > LONGEST_PAINT_S
        if has_painted and now_s - asked_s > ASK_INTERVAL_S:
            asked_s = now_s
            os.write(master, LEAVE)
