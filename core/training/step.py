"""One change of the weights by one batch, and how a GPU repeats it without being told every kernel."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.config import TrainingConfig
from core.device import has_bfloat16
from core.model import VAE
from core.model.losses import gaussian_kl, losses
from core.optim.optimizer import Optimizer, update_ema

logger = logging.getLogger(__name__)

WARM_UPS = 3  # steps before a recording: libraries choose their kernels and fetch their memory in the first
LARGEST_DIFFERENCE = 0.02  # between a step's numbers and its repetition's, relative to 1 or to them
LARGEST_DEVIATION = 0.5  # of a change, relative to it: sums in bfloat16 differ, and Muon makes more of that


@dataclass(frozen=True)
class StepInputs:
    """All that a step depends on besides the weights, on their device.

    Log-mel spectrograms [batch, 1, mels, frames], `noise` of the posterior [batch, latent], and `schedule`
    [3]: learning rate, KL weight, and how much of the average of the weights is replaced.
    """

    log_mel: Tensor
    noise: Tensor
    schedule: Tensor

    def tensors(self) -> list[Tensor]:
        return [self.log_mel, self.noise, self.schedule]


class TrainingStep:
    """Forward, backward, clipping, optimiser and average, which change nothing if a number is not finite.

    It asks for no number, writes only in place, and reads nothing that changes but its inputs, the weights
    and their optimiser's state: so it can be recorded.
    """

    def __init__(self, model: VAE, average: VAE, optimizer: Optimizer, config: TrainingConfig) -> None:
        self.device = model.band_mean.device
        self._model = model
        self._average = average
        self._optimizer = optimizer
        self._config = config
        self._autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device))

    def __call__(self, inputs: StepInputs, check: Callable[[], None] = lambda: None) -> Tensor:
        """Loss, its two terms and the gradient's norm [4].

        `check` may raise until something is changed.  Raises OutOfMemoryError; all is then as it was.
        """
        config, log_mel = self._config, inputs.log_mel
        rate, weight, replaced = inputs.schedule
        self._model.train()
        self._optimizer.zero_grad()
        with self._autocast:
            output = self._model(log_mel, inputs.noise)
        squared_error = (output.reconstruction - log_mel).square().mean() / self._model.scale.square()
        kl = gaussian_kl(output.mean, output.log_variance)
        found = losses(config.loss, squared_error, kl, log_mel[0].numel(), weight, config.free_bits)
        check()
        found.total.backward()  # type: ignore[no-untyped-call]
        check()
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), config.gradient_clip_norm)
        numbers = torch.stack([found.total, found.reconstruction, found.kl, norm]).detach()
        self._optimizer.step(rate, numbers.isfinite().all())
        update_ema(self._average, self._model, replaced)
        return numbers

    def written(self) -> list[Tensor]:
        """All that a step writes in place."""
        return [*self._model.parameters(), *self._average.parameters(), *self._optimizer.tensors()]


class CudaGraphStep:
    """A training step that is recorded once for a batch size, and then repeated with other inputs.

    On a GPU the recording is a CUDA graph: one launch instead of a thousand, which small networks spend most
    of their time on ("CUDA Graph Best Practice for PyTorch", NVIDIA).  A recording that fails, or does
    something else than the step, is told in the log, and steps go on as usual.

    `be_alone` is called before a recording: when it returns, no other thread uses the device.  All threads
    compute gradients on one of the device's own, and its libraries would tie their work to the recording.
    """

    def __init__(self, step: TrainingStep, be_alone: Callable[[], object] = lambda: None) -> None:
        self._step = step
        self._be_alone = be_alone
        self._inputs: StepInputs | None = None  # where the recording reads
        self._repeat: Callable[[], Tensor] | None = None
        self._is_possible = True

    def __call__(self, inputs: StepInputs, check: Callable[[], None] = lambda: None) -> Tensor:
        """As `TrainingStep`, which `check` is called before, not within."""
        if self._is_possible and (self._inputs is None or len(self._inputs.log_mel) != len(inputs.log_mel)):
            self._prepare(inputs)
        if self._inputs is None or self._repeat is None:
            return self._step(inputs, check)
        check()
        for ours, theirs in zip(self._inputs.tensors(), inputs.tensors(), strict=True):
            ours.copy_(theirs)
        return self._repeat().clone()

    def _prepare(self, inputs: StepInputs) -> None:
        """Record, and see whether the first repetition gives what the step itself gave; nothing has changed
        afterwards.  Raises OutOfMemoryError if there is not enough for the step itself."""
        self._inputs = self._repeat = None
        self._be_alone()
        mine = StepInputs(*(each.clone() for each in inputs.tensors()))
        written = self._step.written()
        before = [each.detach().clone() for each in written]
        device = self._step.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            expected = self._step(mine)
        after = [each.detach().clone() for each in written]
        try:
            with torch.random.fork_rng(devices):
                repeat = self.record(lambda: self._step(mine))
            _copy_back(before, written)
            with torch.random.fork_rng(devices):
                found = repeat()
            is_same = torch.allclose(found, expected, LARGEST_DIFFERENCE, LARGEST_DIFFERENCE, equal_nan=True)
            is_same = is_same and _most_changed_alike(before, after, written)
        except RuntimeError as error:  # a lack of memory among them
            is_same = False
            logger.warning("the step could not be recorded (%s)", error)
        _copy_back(before, written)
        if is_same:
            self._inputs, self._repeat = mine, repeat
            logger.info("steps of %d chunks are recorded and repeated", len(mine.log_mel))
        else:
            self._is_possible = False
            logger.warning("steps are not recorded: each of their kernels is launched anew")

    def record(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """What does the same work again, and gives the same tensor, each time it is called.

        Raises RuntimeError, after which the device can be used as before.
        """
        device = self._step.device
        with torch.cuda.device(device):
            usual, stream = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
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

        def repeat() -> Tensor:
            graph.replay()
            return result

        return repeat


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
