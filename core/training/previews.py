"""When previews are rendered: beside the training, or at once where two threads may not use a device."""

import contextlib
import copy
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Self

import torch

from core.errors import Cancelled
from core.events import PreviewReady
from core.model import VAE
from core.synthesis.latents import LatentDistribution
from core.synthesis.render import PreviewRenderer
from core.threads import lower_priority

BESIDE = {"cpu", "cuda"}  # kinds of devices that two threads may use
CANCEL_CHECK_S = 0.05


@dataclass(frozen=True)
class PendingPreviews:
    """What the previews of an epoch, at this step, are made of."""

    model: VAE
    epoch: int
    step: int

    @classmethod
    def read(cls, state: Mapping[str, Any], model: VAE) -> Self:
        """From a checkpoint, into a model of its shape.  Raises KeyError, RuntimeError, TypeError or
        ValueError if it does not fit."""
        model.load_state_dict(state["model"])
        return cls(model, int(state["epoch"]), int(state["step"]))

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "epoch": self.epoch, "step": self.step}


@dataclass(frozen=True)
class _Rendering:
    """The previews that are being made of `source` on the other thread: those that could be, and what is told
    of the others."""

    source: PendingPreviews
    future: Future[tuple[list[PreviewReady], str]]


class Previewer:
    """Renders the previews of one epoch at a time.  Used by one thread, which both functions are called on:
    `tell` with each preview, then `warn` with a sentence if some could not be made and an empty one if all
    could.  Previews are there up to `done_epoch`.

    On Linux a processor renders them while the steps leave a core idle.
    """

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
        if self._thread is not None:
            self._thread.submit(lower_priority)
        self._stream = _new_stream(device) if self._thread else None
        self._is_unwanted = threading.Event()
        self._rendering: _Rendering | None = None

    @property
    def begun_epoch(self) -> int:
        """The last one whose previews are there or under way."""
        return self._rendering.source.epoch if self._rendering else self.done_epoch

    def render(
        self, model: VAE, fitted: LatentDistribution, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> None:
        """Render at once, or begin to with a copy of the model, after those before.  Raises Cancelled."""
        self.finish(cancelled)
        if self._thread is None:
            previews = self._renderer.render(model, fitted, epoch, step, cancelled)
            self._settle(epoch, _make_all(previews, epoch, self._tell))
            return
        mine, stream = copy.deepcopy(model), self._stream
        if stream is not None:
            stream.wait_stream(torch.cuda.current_stream(self._device))  # for the copy to be there

        def render() -> tuple[list[PreviewReady], str]:
            made: list[PreviewReady] = []
            with torch.cuda.stream(stream) if stream else contextlib.nullcontext():
                previews = self._renderer.render(mine, fitted, epoch, step, self._is_unwanted.is_set)
                problem = _make_all(previews, epoch, made.append)
            return made, problem

        self._rendering = _Rendering(PendingPreviews(mine, epoch, step), self._thread.submit(render))

    def unfinished(self, step: int) -> PendingPreviews | None:
        """The previews under way, if the weights of this step cannot make them any more."""
        rendering = self._rendering
        return None if rendering is None or rendering.source.step == step else rendering.source

    def collect(self) -> None:
        """Tell of previews that are there."""
        if self._rendering is not None and self._rendering.future.done():
            self.finish()

    def finish(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the previews under way and tell of them; whether there were any.  Raises Cancelled."""
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
            self._tell(preview)
        self._settle(rendering.source.epoch, problem)
        return True

    def return_to(self, done_epoch: int) -> None:
        """Give up the previews under way, and forget all after this epoch."""
        if self._rendering is not None:
            self._is_unwanted.set()
            self._rendering.future.exception()
            self._is_unwanted.clear()
            self._rendering = None
        self.done_epoch = done_epoch

    def close(self) -> None:
        """Let nothing go on in the background."""
        self.return_to(self.done_epoch)
        if self._thread is not None:
            self._thread.shutdown()

    def _settle(self, epoch: int, problem: str) -> None:
        self._warn(problem)
        self.done_epoch = epoch


def _make_all(previews: Iterable[PreviewReady], epoch: int, keep: Callable[[PreviewReady], None]) -> str:
    """Keep each; a sentence if some could not be made."""
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
