"""Sounds made in the app, with one model, on a thread of its own."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.message_pump import MessagePump

from core.engine import open_maker
from core.errors import Cancelled, FileTakenError, SdaError
from core.text import one_line
from sda_tui.advice import explain

if TYPE_CHECKING:
    from core.engine import Maker, MakingProgress

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

Job = Callable[[], Callable[[], object]]  # done on the thread; what it returns is done on the app's


class Studio:
    """Does one thing after the other with the model of a run, which is loaded when it is first needed.

    It is loaded anew when there is another checkpoint.  Answers come on the thread of `screen`: also
    `on_progress`, and `on_note` with what the user should know.
    """

    def __init__(
        self,
        screen: MessagePump,
        model: Path,
        which: str = "best",
        on_progress: "Callable[[MakingProgress], object]" = lambda _: None,
        on_note: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._screen = screen
        self._model = model
        self.which = which  # checkpoint is used
        self._on_progress = on_progress
        self._on_note = on_note
        self._maker: Maker | None = None
        self._used = which
        self._is_stopped = threading.Event()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(
        self,
        work: "Callable[[Maker], Result]",
        show: Callable[[Result], object],
        fail: Callable[[str], object],
    ) -> None:
        """Call `work` on the studio's thread, then `show` with its result, or `fail` with a message.

        The message is empty if it was stopped.
        """

        def job() -> Callable[[], object]:
            try:
                return partial(show, work(self._open()))
            except Cancelled:
                return partial(fail, "")
            except FileTakenError as error:  # what to type then is of the command line
                return partial(fail, str(error))
            except SdaError as error:
                return partial(fail, explain(error))
            except OSError as error:
                where = f"{error.filename}: " if error.filename else ""
                return partial(fail, one_line(f"{where}{error.strerror or error}; check the disk."))
            except Exception as error:
                logger.exception("making sounds failed")
                return partial(fail, one_line(f"{type(error).__name__}: {error}"))

        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="studio", daemon=True)
            self._thread.start()
        self._is_stopped.clear()
        self._jobs.put(job)

    def stop(self) -> None:
        """Stop what is being done; what is complete stays."""
        self._is_stopped.set()

    def close(self, is_stopped: bool = True) -> None:
        """End the thread: at once, or after what is to be done."""
        if is_stopped:
            self.stop()
        self._jobs.put(None)

    def wait(self, timeout_s: float) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _open(self) -> "Maker":
        if self._maker is None or self._used != self.which or not self._maker.is_current:
            self._used = self.which
            self._maker = open_maker(
                self._model,
                self.which,
                notify=lambda note: self._call(partial(self._on_note, note)),
                progress=lambda at: self._call(partial(self._on_progress, at)),
                cancelled=self._is_stopped.is_set,
            )
        return self._maker

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._call(job())

    def _call(self, answer: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the app is being left
            self._screen.call_later(answer)
