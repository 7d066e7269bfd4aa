"""One sentence on how a run goes, in everyday words."""

import math
from dataclasses import dataclass

from core.events import EpochFinished, RunState, WarningKind
from core.runs import RunHistory
from sda_tui import format as fmt
from sda_tui.look import Tone

WORSE = -0.02  # quality; less is within what the first steps of a healthy run do


@dataclass(frozen=True)
class Judgement:
    """The sentence, how good or bad that is, and the glyph that says so without colour."""

    sentence: str
    tone: Tone = Tone.NEUTRAL

    @property
    def glyph(self) -> str:
        return {Tone.GOOD: "↗", Tone.CAUTION: "!", Tone.BAD: "✗"}.get(self.tone, "·")


def judge(history: RunHistory, state: RunState) -> Judgement:
    """What a person would say who looked at the curves.

    From validation alone, as the detectors judge it; orange or red only when something is wrong.
    """
    last = history.last_epoch
    if history.last_step is not None and history.last_step.train_loss is None:
        return Judgement("The newest step gave no number and was left out.", Tone.CAUTION)
    if state is RunState.TRAINING and 0 < history.total_steps <= history.step:
        return Judgement("All steps are done; the last previews and the checkpoint are being written.")
    if last is None or last.best_epoch == 0:
        return Judgement(_before_the_first_epoch(history, state))
    if state.is_active:
        return _judge_training(history, last)
    return _judge_ended(history, last, state)


def is_worse_than_untrained(last: EpochFinished) -> bool:
    return last.quality is not None and last.quality < WORSE


def describe_gain(last: EpochFinished) -> str:
    """How the error on held-out sounds changed since the untrained model: "39 % less error …"."""
    now, start = last.validation_error, last.untrained_error
    if now is None or not start or not math.isfinite(now) or not math.isfinite(start):
        return ""
    change = fmt.change(start, now)
    if not change:
        return "as much error on held-out sounds as untrained"
    return f"{change} error on held-out sounds than untrained"


def _before_the_first_epoch(history: RunHistory, state: RunState) -> str:
    if not state.is_active:
        return "It ended before its first epoch did, so there is nothing to judge."
    if history.step == 0:
        return "Getting ready; training begins when the sounds are loaded."
    return "Learning; the first judgement comes at the end of epoch 1."


def _judge_training(history: RunHistory, last: EpochFinished) -> Judgement:
    ago = last.epoch - last.best_epoch
    since = f"{fmt.count(ago, 'epoch')} ago"
    if history.warning(WarningKind.OVERFITTING):
        return Judgement(
            f"Better on its own sounds, worse on held-out ones since epoch {last.best_epoch}: "
            "stop, or add sounds.",
            Tone.BAD,
        )
    if is_worse_than_untrained(last):
        return Judgement("Worse on held-out sounds than before training; give it some epochs.", Tone.CAUTION)
    if history.is_improving:
        gain = describe_gain(last)
        if "less" not in gain and last.quality is not None:
            return Judgement("Learning; on held-out sounds no better than untrained yet.")
        best = "this is the best epoch so far" if ago == 0 else f"best so far {since}"
        return Judgement(f"Still improving; {best}{f', with {gain}' if gain else ''}.", Tone.GOOD)
    return Judgement(f"No better since epoch {last.best_epoch}, {since}: it may have learnt what it can.")


def _judge_ended(history: RunHistory, last: EpochFinished, state: RunState) -> Judgement:
    if is_worse_than_untrained(last) and last.best_epoch == last.epoch:
        return Judgement("It ended worse on held-out sounds than it began.", Tone.CAUTION)
    if last.best_epoch == last.epoch:
        tone = Tone.GOOD if state in (RunState.FINISHED, RunState.CANCELLED) else Tone.NEUTRAL
        return Judgement("It ended at its best; training longer may still help.", tone)
    if history.warning(WarningKind.OVERFITTING):
        return Judgement(
            f"Its best was epoch {last.best_epoch}; after that only its own sounds got better, "
            "and held-out ones worse."
        )
    return Judgement(f"Its best was epoch {last.best_epoch} of {last.epoch}; later ones were no better.")
