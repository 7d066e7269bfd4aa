"""When previews are rendered: beside the training, or at once where two threads may not use a device."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import torch

from core.errors import Cancelled
from core.events import PreviewReady
from core.threads import lower_priority
from core.training.task import PreviewSource

BESIDE = {"cpu", "cuda"}  # kinds of devices that two threads may use
CANCEL_CHECK_S = 0.05


@dataclass(frozen=True)
class PendingPreviews:
    """The previews of an epoch, at this step, that are not there yet."""

    source: PreviewSource
    epoch: int
    step: int

    def state_dict(self) -> dict[str, Any]:
        return {"source": self.source.state_dict(), "epoch": self.epoch, "step": self.step}


@dataclass(frozen=True)
class _Rendering:
    """What is rendered on the other thread; its result is the previews made, and why others were not."""

    previews: PendingPreviews
    future: Future[tuple[list[PreviewReady], str]]


class Previewer:
    """Renders the previews of one epoch at a time.  Used by one thread, which both callbacks run on.

    `emit` gets each preview; then `warn` gets a message if some could not be made, else an empty one.
    Previews are there up to `done_epoch`.  `load_source` reads the source of a checkpoint's pending previews,
    and `step` gives the step that the run is at.

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
        self._resumed: PendingPreviews | None = None  # of the checkpoint that the run was resumed from

    @property
    def begun_epoch(self) -> int:
        """The last one whose previews are there or pending."""
        pending = self._pending
        return pending.epoch if pending else self.done_epoch

    @property
    def is_rendering(self) -> bool:
        return self._rendering is not None

    def render(self, source: PreviewSource, epoch: int, step: int, cancelled: Callable[[], bool]) -> None:
        """Render at once, or begin to, after those before.  Raises Cancelled."""
        self.finish(cancelled)
        if self._thread is None:
            previews = source.render(epoch, step, cancelled)
            self._settle(epoch, _make_all(previews, epoch, self._emit))
            return
        stream = self._stream
        if stream is not None:
            stream.wait_stream(torch.cuda.current_stream(self._device))  # the source is copied there

        def render() -> tuple[list[PreviewReady], str]:
            made: list[PreviewReady] = []
            with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
                problem = _make_all(source.render(epoch, step, self._is_unwanted.is_set), epoch, made.append)
            return made, problem

        self._rendering = _Rendering(PendingPreviews(source, epoch, step), self._thread.submit(render))

    def render_resumed(self, cancelled: Callable[[], bool]) -> None:
        """Begin with the previews that were pending in the checkpoint, if any.  Raises Cancelled."""
        if self._resumed is not None:
            self.render(self._resumed.source, self._resumed.epoch, self._resumed.step, cancelled)
            self._resumed = None

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
        made, problem = rendering.future.result()
        for preview in made:
            self._emit(preview)
        self._settle(rendering.previews.epoch, problem)
        return True

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
        self._abandon()
        self.done_epoch = int(state["done_epoch"])
        self._resumed = resumed

    def close(self) -> None:
        """Stop what runs in the background."""
        self._abandon()
        if self._thread is not None:
            self._thread.shutdown()

    @property
    def _pending(self) -> PendingPreviews | None:
        return self._rendering.previews if self._rendering else self._resumed

    def _abandon(self) -> None:
        if self._rendering is not None:
            self._is_unwanted.set()
            self._rendering.future.exception()
            self._is_unwanted.clear()
            self._rendering = None

    def _settle(self, epoch: int, problem: str) -> None:
        self._warn(problem)
        self.done_epoch = epoch


def _make_all(previews: Iterable[PreviewReady], epoch: int, keep: Callable[[PreviewReady], None]) -> str:
    """Keep each; a message if some could not be made."""
    try:
        for preview in previews:
            keep(preview)
    except OSError as error:
        return f"The previews of epoch {epoch} could not be written ({error.strerror}); free some space."
    except torch.OutOfMemoryError:
        return (
            f"The previews of epoch {epoch} found too little memory on the device; "
            "choose fewer preview_samples or a smaller batch_size."
        )
    return ""


def _new_stream(device: torch.device) -> Any:
    """A stream of the device's own for previews; None where there are none."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
