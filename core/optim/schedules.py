"""Learning rate, KL weight and the like as pure functions of the step: nothing to save or restore."""

import math

from core.config import TrainingConfig

FINAL_LEARNING_RATE_FRACTION = 0.01
EMA_EXPONENT = 7.94  # the average's width is a tenth of the run, whatever its length


def learning_rate(config: TrainingConfig, step: int, total_steps: int) -> float:
    """Linear warm-up from zero, then half a cosine down to a hundredth of the peak."""
    warmup = round(config.learning_rate_warmup_fraction * total_steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    fall = (1 + math.cos(math.pi * min(done, 1.0))) / 2
    floor = FINAL_LEARNING_RATE_FRACTION
    return config.learning_rate * (floor + (1 - floor) * fall)


def kl_weight(config: TrainingConfig, step: int, total_steps: int) -> float:
    """Linear annealing from zero to `kl_weight` over `kl_warmup_fraction` of the run."""
    warmup = config.kl_warmup_fraction * total_steps
    return config.kl_weight * (min(1.0, step / warmup) if warmup > 0 else 1.0)


def ema_weight(step: int) -> float:
    """Of the moving average of the weights, how much the weights after this step, the first being 0, replace.

    Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models", CVPR 2024.
    """
    return float(1 - (1 - 1 / (step + 1)) ** EMA_EXPONENT)
