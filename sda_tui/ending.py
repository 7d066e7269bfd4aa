"""What is said of a run that has ended, or that another process trains: how it went, and what can be done.

Pure text: the widget draws it, a test reads it.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.events import EpochFinished, LoadProgress, RunState, SettingsChanged, WarningKind
from core.runs import RunDirectory, RunHistory, RunManifest
from core.text import printable
from sda_tui import format as fmt
from sda_tui.keymap import KEYMAP, first_key
from sda_tui.look import describe_settings_change, describe_state

MOST_LINES = 6
SETTLED_FOR = 5  # epochs after the best one that say nothing yet
CUT = "…"
BETWEEN = " · "
NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Found:
    """What only the disk knows of a run, as it was when it was looked at.

    `ended_s` is in seconds since 1970; `holder_pid` and `host` are of the process that trains it, 0 and empty
    if none does.
    """

    ended_s: float | None = None
    has_checkpoint: bool = True
    has_folder: bool = True
    changed_sounds: int = 0
    software: tuple[str, ...] = ()
    holder_pid: int = 0
    host: str = ""

    @classmethod
    def of(cls, run: RunDirectory, manifest: RunManifest | None) -> "Found":
        """Look at a run, on any thread: each of its sounds is looked for."""
        try:
            ended_s = run.events.lstat().st_mtime
        except OSError:
            ended_s = None
        holder = run.lock.holder()
        has_folder = manifest is None or manifest.has_folder
        return cls(
            ended_s,
            run.has_checkpoint(),
            has_folder,
            len(manifest.changed_files()) if manifest is not None and has_folder else 0,
            tuple(manifest.software_changes()) if manifest is not None else (),
            holder.pid if holder is not None else 0,
            printable(holder.host) if holder is not None else "",
        )


@dataclass(frozen=True)
class Ending:
    """How a run has ended, or that it has not.  `found` is None until the disk was looked at."""

    state: RunState
    step: int
    total_steps: int
    total_epochs: int
    message: str
    elapsed_s: float
    last: EpochFinished | None
    best_quality: float | None
    is_overfitting: bool
    settings: SettingsChanged | None
    loading: LoadProgress | None
    found: Found | None

    @classmethod
    def of(cls, history: RunHistory, state: RunState, found: Found | None) -> "Ending":
        return cls(
            state,
            history.step,
            history.total_steps,
            history.total_epochs,
            history.message,
            history.elapsed_s,
            history.last_epoch,
            history.best_quality,
            bool(history.warning(WarningKind.OVERFITTING)),
            history.settings_change,
            history.loading,
            found,
        )

    @property
    def epochs_since_best(self) -> int:
        return self.last.epoch - self.last.best_epoch if self.last and self.last.best_epoch else 0


@dataclass(frozen=True)
class NextStep:
    """What can be done now: the key, the words, and the action of the screen."""

    key: str
    label: str
    action: str


def plan_card(
    ending: Ending, now_s: float, keys: Mapping[str, NextStep], width: int, most: int = MOST_LINES
) -> tuple[list[str], list[list[NextStep]]]:
    """At most so many lines: how it went, then the steps that can be taken, in rows.  `keys` as from
    `keys_of`."""
    rows = step_rows(next_steps(ending, keys), width)
    return body_lines(ending, now_s, width, max(1, most - len(rows))), rows


def body_lines(ending: Ending, now_s: float, width: int, most: int) -> list[str]:
    """How the run went.  What there is no room for is left out from the end, and counted."""
    first, *others = _paragraphs(ending, now_s)
    wrapped = [_wrap(text, width) for text in others]
    if ending.state is RunState.FAILED and wrapped and 1 + sum(map(len, wrapped)) > most:
        wrapped[0] = _ends_of(wrapped[0], width)
    for left_out in range(len(others) + 1):
        counted = f"{first} (+{left_out}{NO_BREAK}more)" if left_out else first
        lines = _wrap(counted, width)
        lines += [line for each in wrapped[: len(others) - left_out] for line in each]
        if len(lines) <= most:
            return lines
    return _cut(lines, most, width)


def _wrap(text: str, width: int) -> list[str]:
    return [line.replace(NO_BREAK, " ") for line in textwrap.wrap(text, width)]


def _ends_of(lines: list[str], width: int) -> list[str]:
    """The beginning and the end of a long message, in two lines: its end says what to do."""
    if len(lines) <= 2:
        return lines
    tail = " ".join(lines[-2:]).split(" ")
    while len(" ".join(tail)) > width and len(tail) > 1:
        del tail[0]
    return [*_cut(lines[:2], 1, width), *_cut([" ".join(tail)], 1, width)]


def _cut(lines: Sequence[str], most: int, width: int) -> list[str]:
    """The first lines, with a mark where something is missing."""
    kept = list(lines[:most])
    if len(lines) > most or len(kept[-1]) > width:
        kept[-1] = kept[-1][: width - 2].rstrip() + f" {CUT}"
    return kept


def _paragraphs(ending: Ending, now_s: float) -> list[str]:
    """The sentences on a run, the most important first."""
    found = ending.found
    if ending.state.is_active:
        return [_describe_active(ending)]
    texts = [_describe_end(ending, now_s)]
    if ending.state is RunState.FAILED and ending.message:
        texts.append(ending.message)
    texts += filter(None, (describe_best_epoch(ending), describe_gain(ending), advise(ending)))
    if found is not None and not found.has_folder:
        texts.append("The folder of its sounds is gone: write where they are now.")
    elif found is not None and found.changed_sounds:
        sounds = fmt.count(found.changed_sounds, "sound")
        texts.append(f"{sounds} moved or touched since: found by content.")
    if ending.settings is not None:
        texts.append(describe_settings_change(ending.settings))
    return [*texts, *(found.software if found is not None else ())]


def _describe_active(ending: Ending) -> str:
    found, state = ending.found, describe_state(ending.state)
    if found is not None and found.holder_pid:
        where = f" on {found.host}" if found.host else ""
        return (
            f"{state} elsewhere, by process {found.holder_pid}{where}; what is asked for here is done there"
        )
    if ending.loading is not None:
        loading = ending.loading
        return f"{state}: {loading.phase} {loading.done} of {loading.total}"
    if ending.state is RunState.LOADING:
        return f"{state}: the first step comes when its sounds are read"
    return f"{state}, but not here" if found is not None else f"{state}; looking where…"


def _describe_end(ending: Ending, now_s: float) -> str:
    parts = [describe_state(ending.state)]
    if ending.found is not None and ending.found.ended_s is not None:
        parts.append(fmt.age(ending.found.ended_s, now_s))
    if ending.elapsed_s > 0:
        parts.append(f"after {fmt.duration(ending.elapsed_s)}")
    text = " ".join(parts)
    epoch = ending.last.epoch if ending.last is not None else 0
    if ending.state is RunState.FINISHED and not 0 < epoch < ending.total_epochs:  # it may have stopped early
        return f"{text}, {_all_of(ending.total_epochs)}"
    if not ending.step:
        return f"{text}, before the first step"
    return f"{text} at epoch {epoch}/{ending.total_epochs}"


def _all_of(epochs: int) -> str:
    return "its only epoch" if epochs == 1 else f"all {epochs} epochs"


def describe_best_epoch(ending: Ending) -> str:
    """The best epoch with its loss, and how long before the end it was; empty if none was validated."""
    last, since = ending.last, ending.epochs_since_best
    if last is None or last.best_epoch == 0:
        return ""
    text = f"Best epoch {last.best_epoch}, loss {fmt.number(last.best_validation_loss)}"
    if ending.is_overfitting:
        return f"{text}; it overfitted after that."
    if since == 0:
        return f"{text}: the last one."
    if since <= SETTLED_FOR:
        return f"{text}, {since} before the end."
    return f"{text}; no better in {since} epochs since."


def describe_gain(ending: Ending) -> str:
    """How far the held-out error had fallen by the best epoch; empty if that was not measured."""
    last, quality = ending.last, ending.best_quality
    start = last.untrained_error if last is not None else None
    if not start or quality is None or not (quality <= 1 and math.isfinite(start) and math.isfinite(quality)):
        return ""
    left = math.sqrt(1 - quality)  # the inverse of `EpochFinished.quality`
    change = fmt.change(start, start * left).replace(" ", NO_BREAK, 1)
    amount = f"{change} than" if change else "the same as"
    return f"Held-out error {start:.2f} → {start * left:.2f}, {amount} untrained."


def advise(ending: Ending) -> str:
    """Whether to train longer, in plain words."""
    if ending.last is None or ending.last.best_epoch == 0:
        return ""
    if ending.is_overfitting:
        return "More sounds will help; training longer will not."
    if ending.epochs_since_best == 0:
        return "Training longer may make it better still."
    if ending.epochs_since_best <= SETTLED_FOR:
        return "Training longer may help or not; listen to the best epoch."
    return "Training longer will hardly help; more sounds may."


def keys_of(scope: str) -> dict[str, NextStep]:
    """Key, label and action of each command of a screen, by the end of the command's id."""
    return {
        command.id.partition(".")[2]: NextStep(first_key(command), command.label, command.action)
        for command in KEYMAP[scope].commands
    }


def next_steps(ending: Ending, keys: Mapping[str, NextStep]) -> list[NextStep]:
    """What makes sense now, the most likely first; only what the screen has a key for."""
    labels = {name: label for name, label in _wanted(ending) if name in keys}
    return [NextStep(keys[name].key, label, keys[name].action) for name, label in labels.items()]


def _wanted(ending: Ending) -> list[tuple[str, str]]:
    has_model = ending.found is None or ending.found.has_checkpoint
    is_elsewhere = ending.found is not None and bool(ending.found.holder_pid)
    use = [("sounds", "make sounds"), ("export", "export")] if has_model else []
    if ending.state is RunState.LOADING:
        return [("cancel", "cancel"), ("folder", "folder")]
    if ending.state is RunState.TRAINING:
        asked = [("cancel", "stop it there"), ("save", "save there")] if is_elsewhere else []
        return [*use[:1], ("listen", "listen"), *asked]
    back = [("go-back", "back to the best")] if has_model and ending.epochs_since_best > 0 else []
    rest = [("listen", "listen"), *back, ("folder", "folder")]
    if ending.state is RunState.FINISHED:
        return [*use, ("resume", "train longer"), *rest]
    return [("resume", "continue here" if has_model else "start again"), *use, *rest]


def step_rows(steps: Sequence[NextStep], width: int) -> list[list[NextStep]]:
    """The steps in rows that fit."""
    rows: list[list[NextStep]] = []
    room = 0
    for step in steps:
        length = len(step.key) + 1 + len(step.label)
        if not rows or length + len(BETWEEN) > room:
            rows.append([step])
            room = width - length
        else:
            rows[-1].append(step)
            room -= length + len(BETWEEN)
    return rows
