"""What is said of a run that has ended, and which steps are offered."""

import dataclasses
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen

from core.events import LoadProgress, RunState, SettingsChanged, StateChanged
from core.runs import RunDirectory, RunHistory
from sda_tui.ending import (
    BETWEEN,
    MOST_LINES,
    Ending,
    Found,
    NextStep,
    advise,
    describe_best_epoch,
    describe_gain,
    keys_of,
    next_steps,
    plan_card,
)
from sda_tui.keymap.ending import ending_commands
from sda_tui.widgets.end_card import EndCard
from tests.conftest import MakeRun
from tests.sda_tui.driving import an_epoch

NOW_S = 1_750_000_000.0
WIDTH = 58
KEYS = keys_of("dashboard") | {
    command.id.partition(".")[2]: NextStep(command.keys, command.label, command.action)
    for command in ending_commands("dashboard")
}
FOUND = Found(ended_s=NOW_S - 3 * 3600)


def ending(state: RunState, **changes: object) -> Ending:
    last = dataclasses.replace(an_epoch(40, 27, 0.3), best_validation_loss=0.0213, untrained_error=1.21)
    quality = 1 - (0.74 / 1.21) ** 2
    values: dict[str, object] = {
        "state": state,
        "step": 160,
        "total_steps": 160,
        "total_epochs": 40,
        "message": "",
        "elapsed_s": 8109.0,
        "last": last,
        "best_quality": quality,
        "is_overfitting": False,
        "settings": None,
        "loading": None,
        "found": FOUND,
    }
    return Ending(**{**values, **changes})  # type: ignore[arg-type]


def end_lines(
    each: Ending, keys: Mapping[str, NextStep] = KEYS, width: int = WIDTH, most: int = MOST_LINES
) -> list[str]:
    body, rows = plan_card(each, NOW_S, keys, width, most)
    return [*body, *(BETWEEN.join(f"{step.key} {step.label}" for step in row) for row in rows)]


def lines(each: Ending) -> list[str]:
    shown = end_lines(each)
    assert len(shown) <= 6
    assert all(len(line) <= 58 for line in shown)
    return shown


def test_a_finished_run_says_how_far_it_came_and_what_to_do_with_it() -> None:
    assert lines(ending(RunState.FINISHED)) == [
        "✓ finished 3 h ago after 2:15:09, all 40 epochs",
        "Best epoch 27, loss 0.0213; no better in 13 epochs since.",
        "Held-out error 1.21 → 0.74, 39 % less than untrained.",
        "Training longer will hardly help; more sounds may.",
        "m make sounds · E export · r train longer · l listen",
        "g back to the best · F folder",
    ]


def test_a_run_that_stopped_early_is_not_said_to_have_done_all_epochs() -> None:
    assert lines(ending(RunState.FINISHED, total_epochs=200))[0].endswith(" after 2:15:09 at epoch 40/200")


def test_a_run_at_its_best_is_not_sent_back() -> None:
    best = dataclasses.replace(an_epoch(40, 40, 0.3), untrained_error=None)
    shown = lines(ending(RunState.FINISHED, last=best, best_quality=None))
    assert shown[1:3] == [
        "Best epoch 40, loss 0.2000: the last one.",
        "Training longer may make it better still.",
    ]
    assert "g back" not in " ".join(shown)


def test_an_overfitted_run_is_told_to_get_more_sounds() -> None:
    each = ending(RunState.FINISHED, is_overfitting=True)
    assert describe_best_epoch(each).endswith("; it overfitted after that.")
    assert advise(each) == "More sounds will help; training longer will not."
    worse = ending(RunState.FINISHED, best_quality=-0.21)
    assert "1.21 → 1.33, 10 % more than untrained." in " ".join(lines(worse))


def test_an_error_that_did_not_change_is_called_the_same() -> None:
    assert describe_gain(ending(RunState.FINISHED, best_quality=0.001)).endswith("the same as untrained.")


@pytest.mark.parametrize("quality", [None, math.nan, math.inf, 1.5])
def test_figures_that_make_no_sense_are_left_out(quality: float | None) -> None:
    assert describe_gain(ending(RunState.FINISHED, best_quality=quality)) == ""


def test_a_stopped_run_continues_here_or_starts_again() -> None:
    stopped = lines(ending(RunState.CANCELLED))
    assert stopped[0] == "■ cancelled 3 h ago after 2:15:09 at epoch 40/40"
    assert stopped[-2].startswith("r continue here · m make sounds")
    fresh = Found(ended_s=NOW_S, has_checkpoint=False)
    early = ending(RunState.INTERRUPTED, step=0, elapsed_s=0.0, last=None, best_quality=None, found=fresh)
    assert lines(early) == [
        "! interrupted just now, before the first step",
        "r start again · l listen · F folder",
    ]


def test_a_failure_keeps_the_end_of_its_message_which_says_what_to_do() -> None:
    message = "A checkpoint could not be written: no space is left. " * 4 + "Free some space, then continue."
    shown = lines(ending(RunState.FAILED, message=message))
    assert shown[0].startswith("✗ failed 3 h ago")
    assert "more)" in shown[0]
    assert shown[1].endswith(" …")
    assert shown[2].endswith("Free some space, then continue.")
    short = lines(ending(RunState.FAILED, message="No space is left."))
    assert short[1] == "No space is left."


def test_a_run_trained_elsewhere_names_its_process() -> None:
    each = ending(RunState.TRAINING, found=Found(holder_pid=4711, host="gpu-box"))
    assert lines(each) == [
        "▶ training elsewhere, by process 4711 on gpu-box; what is",
        "asked for here is done there",
        "m make sounds · l listen · c stop it there · s save there",
    ]
    loading = ending(RunState.LOADING, loading=LoadProgress("files", 3, 12), found=None)
    assert lines(loading) == ["◌ loading: files 3 of 12", "c cancel · F folder"]


def test_what_changed_since_is_said_or_counted() -> None:
    change = SettingsChanged(20, 80, "kl_weight=1", "kl_weight=3")
    found = dataclasses.replace(
        FOUND, changed_sounds=3, software=("torch was 1 when it began and is 2 now.",)
    )
    each = ending(RunState.FINISHED, settings=change, found=found)
    assert lines(each)[0] == "✓ finished 3 h ago after 2:15:09, all 40 epochs (+3 more)"
    everything = " ".join(end_lines(each, most=20))
    assert "3 sounds moved or touched since: found by content." in everything
    assert "Since step 80: kl_weight=3 (before: kl_weight=1)." in everything
    assert "torch was 1" in everything
    gone = dataclasses.replace(each, found=dataclasses.replace(found, has_folder=False))
    assert "The folder of its sounds is gone" in " ".join(end_lines(gone, most=20))


def test_only_keys_of_the_screen_are_offered_and_no_line_is_too_long() -> None:
    each = ending(RunState.FAILED, message="x" * 500)
    keys = {"sounds": NextStep("ctrl+m", "Make sounds", "sounds")}
    assert next_steps(each, keys) == [NextStep("ctrl+m", "make sounds", "sounds")]
    for width in (1, 5, 20, 58, 200):
        for most in (1, 2, 4, 6):
            shown = end_lines(each, keys, width, most)
            assert len(shown) <= max(most, 2)
            assert max(map(len, shown[:-1])) <= max(width, 2)


def test_a_run_is_looked_at_on_the_disk(make_run: MakeRun) -> None:
    run = make_run("drums-001")
    manifest = run.read_manifest()
    found = Found.of(run, manifest)
    assert (found.has_checkpoint, found.has_folder, found.changed_sounds, found.holder_pid) == (
        False,
        True,
        0,
        0,
    )
    (Path(manifest.folder) / "tone-3.wav").write_bytes(b"other")
    run.lock.acquire()
    try:
        found = Found.of(RunDirectory(run.path), manifest)
    finally:
        run.lock.release()
    assert found.changed_sounds == 1
    assert (found.holder_pid, bool(found.host)) == (os.getpid(), True)


class CardScreen(Screen[None]):
    """The card by itself."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.card = EndCard(run, clock=lambda: NOW_S)
        self.done: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.card

    def action_sounds(self) -> None:
        self.done.append("sounds")


async def test_the_card_shows_an_end_and_nothing_while_this_process_trains(make_run: MakeRun) -> None:
    run = make_run("drums-001")
    manifest = run.read_manifest()
    history = RunHistory()
    history.apply(StateChanged("training", 8, 1, 16, 2), NOW_S)
    (run.checkpoints / "best.pt").touch()
    app: App[None] = App()
    async with app.run_test(size=(60, 18)) as pilot:
        screen = CardScreen(run)
        await app.push_screen(screen)
        screen.card.show_run(RunState.TRAINING, history, manifest, is_trained_here=True)
        await pilot.pause()
        assert screen.card.has_class("-empty")
        history.apply(StateChanged("finished", 16, 2, 16, 2), NOW_S)
        shutil.rmtree(manifest.folder)
        screen.card.show_run(RunState.FINISHED, history, manifest, is_trained_here=False)
        for _ in range(100):
            await pilot.pause(0.02)
            if "folder of its sounds is gone" in str(screen.card.render()):
                break
        shown = str(screen.card.render())
        assert shown.startswith("✓ finished")
        assert "The folder of its sounds is gone" in shown
        assert screen.card.size.height <= 6
        row = shown.splitlines().index(next(line for line in shown.splitlines() if "m make sounds" in line))
        assert await pilot.click(EndCard, offset=(4, row))
        await pilot.pause()
        assert screen.done == ["sounds"]
