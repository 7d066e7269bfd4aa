"""What the figures of a run mean: what each is, what is good, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """Of one figure: its title, what it is, how to tell good from bad, and what to do about it."""

    title: str
    what: str
    good: str
    advice: str


EXPLANATIONS: Mapping[str, Explanation] = {
    "loss": Explanation(
        "Training loss",
        "How badly the model does on the sounds it learns from: the reconstruction loss plus the weighted KL "
        "loss, relative to a scale that the model learns, so it may well be negative.",
        "It falls fast at first, then slowly. Only its course means something, not its size; runs with other "
        "settings for loss, mel bands or chunk duration cannot be compared by it.",
        "If it jumps up and down, lower learning_rate. If it is flat from the start, raise it.",
    ),
    "validation": Explanation(
        "Validation loss",
        "The same loss on held-out sounds, which the model never learns from, measured at the end of each "
        "epoch with the averaged weights.",
        "It falls as the training loss does. What counts is when it was lowest: that epoch is kept as best.",
        "If it rises while the training loss falls, the model overfits: stop, add sounds, or raise dropout.",
    ),
    "best": Explanation(
        "Best epoch",
        "The epoch with the lowest validation loss. Its model is kept as best.pt, and new sounds are made "
        "with it.",
        "The best epoch is a recent one while the model still learns.",
        "If it was long ago, stop; “go back” continues from it with other settings.",
    ),
    "quality": Explanation(
        "Quality",
        "How much of what the untrained model misses in held-out sounds the trained one gives back: "
        "1 − (error / untrained error)².",
        "0 % is as at the start, 100 % would be no error at all. The default model starts as principal "
        "components, so 10 to 30 % is much.",
        "If it stays near 0 %, the sounds have little in common: add more like them.",
    ),
    "gap": Explanation(
        "Gap",
        "By how much the error on held-out sounds is larger than on training sounds.",
        "A wide gap is no harm by itself: a few unlike sounds have one from the start.",
        "Look at the validation loss: only if that rises is something wrong.",
    ),
    "reconstruction": Explanation(
        "Reconstruction loss",
        "How far decoded spectrograms are from the real ones, as a negative log-likelihood. A probability "
        "density may be larger than 1, so this number is negative when the model is exact.",
        "Lower is better, also below zero.",
        "If the validation curve leaves the training curve, the model learns details of single files.",
    ),
    "kl": Explanation(
        "KL loss",
        "How far the descriptions of sounds in the latent space are from the prior, beyond the free bits, "
        "times its weight: the price of information.",
        "It rises from near 0 as the model begins to use the latent space, then settles.",
        "Near 0 all the time means posterior collapse: lower kl_weight or lengthen kl_warmup_fraction.",
    ),
    "kl_weight": Explanation(
        "KL weight",
        "How much the KL loss counts now; it rises from 0 over the part kl_warmup_fraction of the run.",
        "1 at the end is the textbook value.",
        "Higher gives smoother, duller new sounds; lower sharper, riskier ones.",
    ),
    "kl_nats": Explanation(
        "KL divergence",
        "The information the model keeps of a chunk, in nats; 1 nat is 1.44 bits.",
        "Some nats for each latent dimension in use.",
        "Below half a nat in all, the latent space carries nothing: lower kl_weight.",
    ),
    "kl-dimensions": Explanation(
        "KL divergence per dimension",
        "How many nats each latent dimension carries, the largest first.",
        "A slope that ends near zero at the right: the dimensions suffice.",
        "If many carry less than 0.1 nat, a smaller latent_dim would do; if none is near zero, a larger one.",
    ),
    "latents": Explanation(
        "Latent dimensions",
        "How many dimensions carry more than 0.1 nat, of how many there are.",
        "Most of them, or at least some dozens.",
        "A warning names the latent_dim that would do.",
    ),
    "detail": Explanation(
        "Detail",
        "How much of the change from band to band and from frame to frame reconstructions give back, before "
        "the residual is added.",
        "Above 50 % is sharp for a small model; below 15 % is called blurred.",
        "More latent_dim, more epochs or a higher reference_gain; detail makes previews sharper.",
    ),
    "learning-rate": Explanation(
        "Learning rate",
        "How large the steps of the optimiser are. It rises over the warm-up and then falls to nearly 0 by "
        "a cosine.",
        "A smooth hill.",
        "Losses that jump want a lower learning_rate, losses that crawl a higher one.",
    ),
    "gradient": Explanation(
        "Gradient norm",
        "The length of the gradient before clipping.",
        "It falls and then wavers about a level.",
        "Peaks are cut at gradient_clip_norm. If it grows without end, lower learning_rate.",
    ),
    "speed": Explanation(
        "Steps per second",
        "How many updates of the weights are made each second; the median of the newest steps.",
        "A flat line. It drops while previews are rendered.",
        "If it falls for good, look at the device: another program may be using it, or it is too hot.",
    ),
    "step": Explanation(
        "Steps",
        "Updates of the weights: how many are done, and how many the run has in all. Each sees one batch of "
        "training chunks, altered at random; an epoch has a fixed number of them.",
        "The number grows.",
        "More epochs make more steps; a run that has finished can be trained for longer.",
    ),
    "eta": Explanation(
        "ETA",
        "The time until the last epoch ends, from the newest epochs, with validation and previews.",
        "It counts down evenly.",
        "A run may be stopped at any time: it is saved then, and continues from that step.",
    ),
    "memory": Explanation(
        "Memory",
        "What the run uses of the device's memory now, at most so far, and what the device has.",
        "Well below what there is.",
        "If it is short, the batch is halved by itself; smaller batch_size, width or chunk_duration_s help.",
    ),
    "device": Explanation(
        "Device",
        "Use, memory, temperature and power of the device, and the processor time of the training.",
        "A busy device. Small models do not fill a large GPU: that is normal.",
        "A GPU above 85 °C slows itself down; a full CPU with an idle GPU means that data come too slowly.",
    ),
    "hardest": Explanation(
        "Hardest held-out sounds",
        "The held-out files with the largest error, relative to the median of all held-out files.",
        "All near 1.",
        "One far above the others is unlike all training sounds: add more like it, or leave it out.",
    ),
    "saved": Explanation(
        "Saved",
        "The step and the reason of the newest checkpoint: where the run would continue from.",
        "Not long ago.",
        "“Save” writes one now, which is kept.",
    ),
}
