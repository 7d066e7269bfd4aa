"""When previews are rendered: beside the training, or at once where two threads may not use a device."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import torch

from core.device import is_out_of_memory
from core.disk import explain_write_error
from core.errors import Cancelled
from core.events import PreviewReady
from core.threads import lower_priority
from core.training.task import PreviewSource

BESIDE = {"cpu", "cuda"}  # kinds of devices that two threads may use
CANCEL_CHECK_S = 0.05
RETRY_INTERVAL_S = 20.0  # of previews that could not be written


@dataclass(frozen=True)
class PendingPreviews:
    """The previews of an epoch, at this step, that are not there yet."""

    source: PreviewSource
    epoch: int
    step: int

    def state_dict(self) -> dict[str, Any]:
        return {"source": self.source.state_dict(), "epoch": self.epoch, "step": self.step}


@dataclass(frozen=True)
class _Made:
    """The previews that could be made, and why others were not."""

    previews: list[PreviewReady]
    problem: str = ""
    is_unwritten: bool = False  # or cannot be written for another reason: worth another try


@dataclass(frozen=True)
class _Rendering:
    """What is rendered on the other thread."""

    previews: PendingPreviews
    future: Future[_Made]


class Previewer:
    """Renders the previews of one epoch at a time.  Used by one thread, which both callbacks run on.

    `emit` gets each preview; then `warn` gets a message if some could not be made, else an empty one.
    Those that could not be written wait until the disk takes them: of the newest such epoch, which a
    checkpoint keeps too.  Previews are there up to `done_epoch`.  `load_source` reads the source of a
    checkpoint's pending previews, and `step` gives the step that the run is at.

    On Linux a CPU renders them while the steps leave a core idle.
    """

    def __init__(
        self,
        device: torch.device,
        load_source: Callable[[Mapping[str, Any]], PreviewSource],
        step: Callable[[], int],
        emit: Callable[[PreviewReady], None],
        warn: Callable[[str], None],
    ) -> None:
        self._device = device
        self._load_source = load_source
        self._step = step
        self._emit = emit
        self._warn = warn
        self.done_epoch = -1
        self._thread = ThreadPoolExecutor(1, "previews") if device.type in BESIDE else None
        if self._thread is not None:
            self._thread.submit(lower_priority)
        self._stream = _new_stream(device) if self._thread else None
        self._is_unwanted = threading.Event()
        self._rendering: _Rendering | None = None
        self._waiting: PendingPreviews | None = None  # of the checkpoint resumed from, or not written yet
        self._retry_s = 0.0
        self._problem = ""

    @property
    def is_rendering(self) -> bool:
        return self._rendering is not None

    @property
    def begun_epoch(self) -> int:
        """The last one whose previews are there or pending."""
        pending = self._pending
        return pending.epoch if pending else self.done_epoch

    @property
    def missing(self) -> str:
        """Why there are previews that could not be written, empty if there are none."""
        return self._problem if self._waiting is not None else ""

    def render(self, source: PreviewSource, epoch: int, step: int, cancelled: Callable[[], bool]) -> None:
        """Render at once, or begin to, after those before.  Raises Cancelled."""
        self.finish_all(cancelled)  # what waits after that is given up: memory is for one epoch's
        self._render(PendingPreviews(source, epoch, step), cancelled)

    def render_waiting(self, cancelled: Callable[[], bool]) -> None:
        """Begin with the previews that wait, if any, unless that has just failed.  Raises Cancelled."""
        waiting = self._waiting
        if waiting is not None and self._rendering is None and time.monotonic() >= self._retry_s:
            self._render(waiting, cancelled)

    def skip(self, epoch: int, problem: str) -> None:
        """Do without the previews of an epoch."""
        self._settle(epoch, problem)

    def collect(self) -> None:
        """Emit the previews that are there."""
        if self._rendering is not None and self._rendering.future.done():
            self.finish()

    def finish(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the previews being rendered and emit them; whether there were any.  Raises Cancelled."""
        rendering = self._rendering
        if rendering is None:
            return False
        while not rendering.future.done():
            if cancelled():
                raise Cancelled
            wait([rendering.future], CANCEL_CHECK_S)
        self._rendering = None
        self._take(rendering.previews, rendering.future.result())
        return True

    def finish_all(self, cancelled: Callable[[], bool]) -> None:
        """Finish, and try again to make those that wait.  Raises Cancelled."""
        self.finish(cancelled)
        self._retry_s = 0.0
        self.render_waiting(cancelled)
        self.finish(cancelled)

    def state_dict(self) -> dict[str, Any]:
        """Pending previews are kept unless the weights of this very step can make them again."""
        pending = self._pending
        is_kept = pending is not None and pending.step != self._step()
        return {
            "done_epoch": self.done_epoch,
            "pending": pending.state_dict() if pending is not None and is_kept else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give up the previews being rendered, and continue after those of a checkpoint.

        Raises KeyError, RuntimeError, TypeError or ValueError.
        """
        pending, resumed = state["pending"], None
        if pending is not None:
            source = self._load_source(pending["source"])
            resumed = PendingPreviews(source, int(pending["epoch"]), int(pending["step"]))
            if resumed.epoch < 0 or resumed.step < 0:
                raise ValueError("its pending previews are of no epoch")
        done_epoch = int(state["done_epoch"])
        self._abandon()
        self.done_epoch = done_epoch
        self._waiting, self._retry_s, self._problem = resumed, 0.0, ""

    def close(self) -> None:
        """Stop what runs in the background."""
        self._abandon()
        if self._thread is not None:
            self._thread.shutdown()

    @property
    def _pending(self) -> PendingPreviews | None:
        return self._rendering.previews if self._rendering else self._waiting

    def _render(self, previews: PendingPreviews, cancelled: Callable[[], bool]) -> None:
        self._waiting = previews  # until they are there
        if self._thread is None:
            self._take(previews, _make_all(previews, cancelled))
            return
        stream = self._stream
        if stream is not None:
            stream.wait_stream(torch.cuda.current_stream(self._device))  # the source is copied there

        def render() -> _Made:
            with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
                return _make_all(previews, self._is_unwanted.is_set)

        self._rendering, self._waiting = _Rendering(previews, self._thread.submit(render)), None

    def _abandon(self) -> None:
        if self._rendering is not None:
            self._is_unwanted.set()
            self._rendering.future.exception()
            self._is_unwanted.clear()
            self._rendering = None

    def _take(self, previews: PendingPreviews, result: _Made) -> None:
        if result.is_unwritten:
            self._waiting, self._retry_s = previews, time.monotonic() + RETRY_INTERVAL_S
            self._problem = result.problem
            self._warn(result.problem)
            return
        self._waiting = None
        for preview in result.previews:
            self._emit(preview)
        self._settle(previews.epoch, result.problem)

    def _settle(self, epoch: int, problem: str) -> None:
        self._warn(problem)
        self.done_epoch = epoch


def _make_all(previews: PendingPreviews, cancelled: Callable[[], bool]) -> _Made:
    """Those that can be made.  Raises Cancelled."""
    made: list[PreviewReady] = []
    epoch = previews.epoch
    try:
        made.extend(previews.source.render(epoch, previews.step, cancelled))
    except OSError as error:
        why = explain_write_error(error)
        return _Made(made, f"The previews of epoch {epoch} could not be written {why}.", is_unwritten=True)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return _Made(
            made,
            f"The previews of epoch {epoch} found too little memory on the device; "
            "choose fewer preview_samples or a smaller batch_size.",
        )
    return _Made(made)


def _new_stream(device: torch.device) -> Any:
    """A stream of the device's own for previews; None where there are none."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None
