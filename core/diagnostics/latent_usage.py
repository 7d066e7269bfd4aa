"""Whether the latent carries anything, and whether it has dimensions to spare, as messages.

Messages hold no figure that moves from epoch to epoch.  What is active is withdrawn at a higher limit than it
was reported at, so that a model at the limit does not make it come and go.
"""

from torch import Tensor

from core.model.losses import ACTIVE_KL_NATS

COLLAPSED, NO_LONGER_COLLAPSED = 0.5, 0.6  # nats, of the dimension that carries most
UNUSED, NO_LONGER_UNUSED = ACTIVE_KL_NATS, 1.5 * ACTIVE_KL_NATS  # nats
SPARE_FRACTION = 0.5  # of the dimensions


def collapse_warning(kl_per_dimension: Tensor, is_active: bool = False) -> str:
    """A message with advice if no dimension [latent], in nats, carries anything (posterior collapse)."""
    if not float(kl_per_dimension.max()) < (NO_LONGER_COLLAPSED if is_active else COLLAPSED):
        return ""
    return (
        "Posterior collapse: no latent dimension carries anything, so all sounds come out alike. Resume with "
        "a smaller kl_weight."
    )


def spare_warning(kl_per_dimension: Tensor, is_active: bool = False) -> str:
    """A message with advice if more than half of the dimensions [latent], in nats, carry next to nothing."""
    count = len(kl_per_dimension)
    unused = int((kl_per_dimension < (NO_LONGER_UNUSED if is_active else UNUSED)).sum())
    if not unused > SPARE_FRACTION * count:
        return ""
    return (
        f"More than half of the {count} latent dimensions carry next to nothing: in a new run, "
        f"latent_dim={max(2, count // 2)} would do."
    )
