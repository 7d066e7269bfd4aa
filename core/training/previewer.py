"""When previews are rendered: beside the training on a GPU, which has room for both, at once elsewhere."""

import contextlib
import copy
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from core.events import PreviewReady
from core.model import VAE
from core.model.latents import LatentDistribution
from core.training.preview import PreviewRenderer

BESIDE = {"cuda"}  # kinds of devices where previews do not make a step wait


@dataclass(frozen=True)
class _Rendering:
    """The previews of an epoch that are being made on the other thread."""

    epoch: int
    step: int
    future: Future[list[PreviewReady]]


class Previewer:
    """Renders the previews of one epoch at a time.  Used by one thread, which both functions are called on:
    `tell` with each preview, then `warn` with a sentence if they could not be written and an empty one if
    they could.  Previews are there up to `done_epoch`."""

    def __init__(
        self,
        renderer: PreviewRenderer,
        device: torch.device,
        tell: Callable[[PreviewReady], None],
        warn: Callable[[str], None],
    ) -> None:
        self._renderer = renderer
        self._device = device
        self._tell = tell
        self._warn = warn
        self.done_epoch = -1
        self._thread = ThreadPoolExecutor(1, "previews") if device.type in BESIDE else None
        self._rendering: _Rendering | None = None

    @property
    def begun_epoch(self) -> int:
        """The last one whose previews are there or under way."""
        return self._rendering.epoch if self._rendering else self.done_epoch

    def render(
        self, model: VAE, fitted: LatentDistribution, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> None:
        """Render at once, or begin to with a copy of the model.  Raises Cancelled in the first case."""
        self.finish()
        if self._thread is None:
            self._tell_all(epoch, self._renderer.render(model, fitted, epoch, step, cancelled))
            return
        mine, stream = copy.deepcopy(model), _stream_after_this(self._device)

        def render() -> list[PreviewReady]:
            with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
                return list(self._renderer.render(mine, fitted, epoch, step, lambda: False))

        self._rendering = _Rendering(epoch, step, self._thread.submit(render))

    def collect(self) -> None:
        """Tell of previews that are there."""
        if self._rendering is not None and self._rendering.future.done():
            self.finish()

    def finish(self, before_step: int | None = None) -> None:
        """Wait for the previews under way and tell of them; only for those of a step before this one, if it
        is given."""
        rendering = self._rendering
        if rendering is None or (before_step is not None and rendering.step >= before_step):
            return
        self._rendering = None
        self._tell_all(rendering.epoch, _results(rendering.future))

    def return_to(self, done_epoch: int) -> None:
        """Wait for the previews under way, and forget all after this epoch."""
        if self._rendering is not None:
            self._rendering.future.exception()
            self._rendering = None
        self.done_epoch = done_epoch

    def close(self) -> None:
        """Let nothing go on in the background."""
        self.return_to(self.done_epoch)
        if self._thread is not None:
            self._thread.shutdown()

    def _tell_all(self, epoch: int, previews: Iterable[PreviewReady]) -> None:
        try:
            for preview in previews:
                self._tell(preview)
        except OSError as error:
            self._warn(
                f"The previews of epoch {epoch} could not be written ({error.strerror}); free some space."
            )
        else:
            self._warn("")
        self.done_epoch = epoch


def _results(future: Future[list[PreviewReady]]) -> Iterable[PreviewReady]:
    yield from future.result()


def _stream_after_this(device: torch.device) -> Any:
    """A stream for what may only begin when all is done that is under way; None where there are none."""
    if device.type != "cuda":
        return None
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    return stream
