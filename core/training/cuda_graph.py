"""A training step captured in a CUDA graph and replayed, so that it is launched as one piece of work."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.training.step import StepInputs, TrainingStep

logger = logging.getLogger(__name__)

WARM_UPS = 3  # steps before a capture: libraries choose their kernels and allocate their memory in the first
LARGEST_DIFFERENCE = 0.02  # between a step's metrics and its replay's, relative to 1 or to them
LARGEST_DEVIATION = 0.5  # of a change, relative to it: sums in bfloat16 differ, and Muon amplifies that


class CudaGraphStep:
    """A training step that is captured once for a shape of batch, and then replayed with other inputs.

    One launch instead of a thousand, which small networks spend most of their time on ("CUDA Graph Best
    Practice for PyTorch", NVIDIA).  A capture that fails, or whose replay does something else than the step,
    is reported in the log, and steps continue kernel by kernel.

    `quiesce` is called before a capture: when it returns, no other thread uses the device.  All threads
    compute gradients on one of the device's own, and its libraries would tie their work to the capture.
    """

    def __init__(self, step: TrainingStep, quiesce: Callable[[], object] = lambda: None) -> None:
        self.eager_step = step
        self._quiesce = quiesce
        self._inputs: StepInputs | None = None  # where the graph reads
        self._replay: Callable[[], Tensor] | None = None
        self._is_possible = True

    @property
    def metric_names(self) -> tuple[str, ...]:
        return self.eager_step.metric_names

    @property
    def captured_size(self) -> int:
        """Items in the batches that the graph was captured for; 0 if there is none."""
        return len(self._inputs.batch[0]) if self._inputs is not None else 0

    def __call__(self, inputs: StepInputs, check: Callable[[], None] = lambda: None) -> Tensor:
        """As `TrainingStep`, but `check` is called before, not within."""
        if self._is_possible and not self._fits(inputs):
            self._prepare(inputs)
        if self._inputs is None or self._replay is None:
            return self.eager_step(inputs, check)
        check()
        for ours, theirs in zip(self._inputs.tensors(), inputs.tensors(), strict=True):
            ours.copy_(theirs)
        return self._replay().clone()

    def _fits(self, inputs: StepInputs) -> bool:
        """Whether the graph was captured for batches of these shapes."""
        ours = self._inputs
        return ours is not None and [each.shape for each in ours.batch] == [
            each.shape for each in inputs.batch
        ]

    def _prepare(self, inputs: StepInputs) -> None:
        """Capture, and check that the first replay gives what the step itself gave; the weights are then as
        they were.  Raises OutOfMemoryError if there is not enough for the step itself."""
        self._inputs = self._replay = None
        self._quiesce()
        mine = inputs.clone()
        written = self.eager_step.written()
        before = [each.detach().clone() for each in written]
        device = self.eager_step.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            expected = self.eager_step(mine)
        after = [each.detach().clone() for each in written]
        try:
            with torch.random.fork_rng(devices):
                replay = self.capture(lambda: self.eager_step(mine))
            _copy_back(before, written)
            with torch.random.fork_rng(devices):
                found = replay()
            is_same = torch.allclose(found, expected, LARGEST_DIFFERENCE, LARGEST_DIFFERENCE, equal_nan=True)
            is_same = is_same and _most_changed_alike(before, after, written)
        except RuntimeError as error:  # a lack of memory among them
            is_same = False
            logger.warning("the step could not be captured (%s)", error)
        _copy_back(before, written)
        if is_same:
            self._inputs, self._replay = mine, replay
            logger.info("steps of %d items are captured in a CUDA graph", self.captured_size)
        else:
            self._is_possible = False
            logger.warning("steps are not captured in a CUDA graph: each of their kernels is launched anew")

    def capture(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """A function that does the same work again, into the same tensor, each time it is called.

        Raises RuntimeError, after which the device can be used as before.
        """
        device = self.eager_step.device
        with torch.cuda.device(device):
            usual, stream = torch.cuda.current_stream(), torch.cuda.Stream()
            stream.wait_stream(usual)
            graph: Any = torch.cuda.CUDAGraph()
            try:
                # A capture that fails leaves its stream current; this one ends whatever happens.
                with torch.cuda.stream(stream):
                    for _ in range(WARM_UPS):
                        work()
                    # What other threads ask of the device's driver must not make the capture void.
                    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                        result = work()
            except RuntimeError:
                _renew_generator(device)
                raise
            finally:
                usual.wait_stream(stream)

        def replay() -> Tensor:
            graph.replay()
            return result

        return replay


def _renew_generator(device: torch.device) -> None:
    """Let a CUDA device draw numbers again: its generator may take a capture that failed for not ended."""
    torch.cuda.default_generators[device.index or 0].graphsafe_set_state(torch.Generator(device))


def _most_changed_alike(before: list[Tensor], expected: list[Tensor], found: list[Tensor]) -> bool:
    """Whether a step has done to most tensors what it should, from what they were before."""
    alike = [
        (there - should).norm() <= LARGEST_DEVIATION * (should - was).norm()
        for was, should, there in zip(before, expected, found, strict=True)
    ]
    return bool(torch.stack(alike).float().mean() > 0.5)


@torch.no_grad()
def _copy_back(before: list[Tensor], written: list[Tensor]) -> None:
    for there, here in zip(before, written, strict=True):
        here.copy_(there)
