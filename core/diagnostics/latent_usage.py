"""Which latent dimensions carry something, as a message."""

from collections.abc import Sequence

from torch import Tensor

from core.model.losses import ACTIVE_KL_NATS

COLLAPSED_KL_NATS = 0.5  # in all dimensions together
MOST_NAMED = 6


def latent_warning(kl_per_dimension: Tensor) -> str:
    """A message with advice if some of the latent dimensions [latent], in nats, carry next to nothing.

    Dimensions are counted from 1.
    """
    if float(kl_per_dimension.sum()) < COLLAPSED_KL_NATS:
        return "The latent carries nothing (posterior collapse): lower kl_weight or raise kl_warmup_fraction."
    count = len(kl_per_dimension)
    unused = [index + 1 for index in range(count) if float(kl_per_dimension[index]) < ACTIVE_KL_NATS]
    if not unused:
        return ""
    subject = f"Latent dimension {unused[0]}" if len(unused) == 1 else f"Latent dimensions {ranges(unused)}"
    verb = "carries" if len(unused) == 1 else "carry"
    return (
        f"{subject} of {count} {verb} next to nothing (under {ACTIVE_KL_NATS:g} nat): in a new run, "
        f"latent_dim={max(2, count - len(unused))} would do, or a lower kl_weight fills them."
    )


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in short: "3, 7–12", and no more than a few: "1, 3, 5, 7, 9, 11 and 20 more"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    named = ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs[:MOST_NAMED])
    more = sum(map(len, runs[MOST_NAMED:]))
    return f"{named} and {more} more" if more else named
