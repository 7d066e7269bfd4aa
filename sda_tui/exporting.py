"""An export beside the app: the figures by this process, models by one of their own."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from core.config import ExportRequest
from core.engine import export, plan_export
from core.errors import Cancelled, ExportError, FileTakenError
from core.paths import expand
from core.text import one_line, printable

PACKAGES = str(Path(__file__).parent.parent)
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from sda_tui.cli import main; sys.exit(main(sys.argv[1:]))"
)
PRIORITY = 5  # as "nice" counts: a training on the same cores goes first
STOPPING_S = 5.0  # loading torch answers no interrupt for seconds
TAIL_BYTES = 4000  # of what the process wrote to stderr; its message is the last line


def requests_of(request: ExportRequest, metrics: Sequence[str]) -> list[ExportRequest]:
    """The request, with these formats of metrics: one request has one format at most."""
    if not metrics:
        return [request]
    others = [dataclasses.replace(request, kinds=(), metrics=each) for each in metrics[1:]]
    return [*others, dataclasses.replace(request, metrics=metrics[0])]


class ExportJob:
    """Writes what is requested, one file after the other.

    torch's exporters hold the interpreter for half a minute, which a training in this process would wait for,
    and only the end of a process stops them.  So models are written by `sda-tui export` in a process of its
    own, with a lower priority.
    """

    def __init__(self, requests: Sequence[ExportRequest]) -> None:
        self._requests = requests
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False

    def plan(self) -> list[Path]:
        """The files to be written, in this order.  Makes the folder for them.

        Raises ExportError, also if one is there that must stay, and ConfigError.
        """
        try:
            for request in self._requests:
                _make_folder(request)
            return [path for request in self._requests for path in plan_export(request)]
        except FileTakenError as error:
            raise ExportError(f"{error} Choose another folder, or mark “overwrite”.") from error

    def write(self, on_file: Callable[[Path], object]) -> None:
        """Write the files, on any thread, and call `on_file` with each when it is there.

        Raises SdaError, Cancelled; what is written by then stays.
        """
        for request in self._requests:
            written = self._run(request) if request.kinds else export(request)
            for path in written:
                on_file(path)
                if self._is_stopped:
                    raise Cancelled

    def stop(self) -> None:
        """Stop, at once or after some seconds; no part of a file stays.  Does not wait."""
        with self._lock:
            self._is_stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            _signal(process, signal.SIGINT)
            timer = threading.Timer(STOPPING_S, _signal, (process, signal.SIGKILL))
            timer.daemon = True
            timer.start()

    def _run(self, request: ExportRequest) -> Iterator[Path]:
        """Have a process write a request, and yield each path when it has printed it."""
        paths = plan_export(request)
        with tempfile.TemporaryFile() as errors:
            process = self._start(request, errors)
            assert process.stdout is not None
            with process.stdout:
                for path, _line in zip(paths, process.stdout, strict=False):
                    yield path
                process.stdout.read()
            status = process.wait()
            if self._is_stopped:
                raise Cancelled
            if status != 0:
                raise ExportError(_explain(status, _tail(errors)))

    def _start(self, request: ExportRequest, errors: IO[bytes]) -> "subprocess.Popen[str]":
        with self._lock:
            if self._is_stopped:
                raise Cancelled
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", PROGRAM, PACKAGES, *command_words(request)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # no Ctrl-C in the terminal ends it
                )
            except OSError as error:
                raise ExportError(f"The export cannot be started ({error.strerror}).") from error
            self._process = process
        with contextlib.suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, PRIORITY)
        return process


def command_words(request: ExportRequest) -> list[str]:
    """The arguments of `sda-tui` for a request."""
    words = ["export", str(request.model.absolute()), "--to", ",".join(request.kinds)]
    if request.checkpoint is not None:
        words += ["--checkpoint", request.checkpoint]
    if request.metrics:
        words += ["--metrics", request.metrics]
    if request.out is not None:
        words += ["--out", str(expand(request.out).absolute())]
    words += ["--licence", request.model_licence, "--sounds-licence", request.sounds_licence]
    words += ["--steps"] * request.steps + ["--names"] * request.names
    words += ["--without-sounds"] * (not request.sounds) + ["--overwrite"] * request.overwrite
    return words


def _make_folder(request: ExportRequest) -> None:
    """Make the folder for the files, where its name could be taken for that of a single one."""
    out = expand(request.out or Path())
    endings = [ending for each in request.file_endings.values() for ending in each]
    if not any(out.suffix and ending.endswith(out.suffix) for ending in endings):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(
                f"{printable(str(out))} cannot be a folder for the files ({error.strerror})."
            ) from error


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(OSError):  # it has ended since
            os.killpg(process.pid, number)


def _tail(errors: IO[bytes]) -> str:
    size_bytes = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size_bytes - TAIL_BYTES))
    return errors.read().decode("utf-8", "replace")


def _explain(status: int, written: str) -> str:
    """Why the process ended, from its exit status and the end of what it wrote to stderr."""
    lines = [line for line in written.splitlines() if line.strip()]
    message = next((line for line in reversed(lines) if line.startswith("sda-tui: ")), "")
    if message:
        return one_line(message.removeprefix("sda-tui: "))
    if status == -signal.SIGKILL:
        return "The export was ended by the system; there may be too little memory beside what runs."
    last = one_line(lines[-1]) if lines else f"status {status}"
    return f"The export failed ({last})."
