"""How the dashboard looks in every state of a run, in every pane, and with fewer colours.

After a change of looks that is meant: `pytest --snapshot-update` on this file, then look at what changed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.events import LoadProgress, RunEvent, StateChanged, Warned, WarningKind
from core.runs import RunDirectory
from sda_tui.app import Leave, SdaApp
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.widgets.charts import Plot
from sda_tui.widgets.pane_tabs import PANES, Pane
from sda_tui.widgets.preview_panel import PreviewPanel
from sda_tui.widgets.title_bar import TitleBar
from tests.sda_tui.driving import WIDE, until
from tests.sda_tui.logged_runs import (
    EPOCHS,
    TOTAL_STEPS,
    TRAINED_EPOCHS,
    TRAINED_STEPS,
    finished,
    make_run,
    trained,
    training,
)
from tests.sda_tui.snapshots import SIZES, Look, Ready

COMPACT = (40, 10)
WARNINGS = [
    Warned(WarningKind.DISK, "The checkpoint cannot be written (No space left on device).", TRAINED_STEPS),
    Warned(WarningKind.OVERFITTING, "Overfitting: held-out sounds get worse.", TRAINED_STEPS),
]


async def test_loading(look: Look, home: Path) -> None:
    loading = [StateChanged("loading", 0, 0, TOTAL_STEPS, EPOCHS), LoadProgress("decoding", 3, 8)]
    with training(make_run(home, "drums-001", loading)) as run:
        await look(shows(home, run), until_titled("decoding 3/8"), is_settled, sizes=(*SIZES, COMPACT))


async def test_training(look: Look, home: Path) -> None:
    with training(make_run(home, "drums-001", trained(TRAINED_EPOCHS))) as run:
        await look(shows(home, run), until_titled("epoch 27/40"), is_settled)


@pytest.mark.parametrize("colours", ["truecolor", "256", "standard", "none"])
async def test_training_with_warnings(look: Look, home: Path, colours: str) -> None:
    with training(make_run(home, "drums-001", [*trained(TRAINED_EPOCHS), *WARNINGS])) as run:
        sizes = (*SIZES, COMPACT) if colours == "truecolor" else (WIDE,)
        await look(shows(home, run), until_titled("epoch 27/40"), is_settled, sizes, colours)


@pytest.mark.parametrize("state", ["cancelled", "failed", "finished"])
async def test_ended(look: Look, home: Path, state: str) -> None:
    message = "The device was lost; see run.log." if state == "failed" else ""
    end = StateChanged(state, TRAINED_STEPS, TRAINED_EPOCHS, TOTAL_STEPS, EPOCHS, message)
    events: list[RunEvent] = list(finished()) if state == "finished" else [*trained(TRAINED_EPOCHS), end]
    run = make_run(home, "drums-001", events)
    await look(shows(home, run), until_titled(state), is_settled)


async def test_interrupted(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", trained(TRAINED_EPOCHS))
    await look(shows(home, run), until_titled("interrupted"), is_settled)


@pytest.mark.parametrize("pane", [pane for pane in PANES if pane is not Pane.OVERVIEW])
async def test_pane(look: Look, home: Path, pane: Pane) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until_titled("epoch 27/40")(app, pilot)
        await pilot.press(str(1 + PANES.index(pane)))

    with training(make_run(home, "drums-001", [*trained(TRAINED_EPOCHS), *WARNINGS])) as run:
        await look(shows(home, run), ready, is_settled)


def shows(home: Path, run: RunDirectory) -> Callable[[], SdaApp]:
    return partial(SdaApp, home / "runs", attached=run)


def until_titled(words: str) -> Ready:
    """Wait until the dashboard has drawn the log, which its title then shows."""

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until(pilot, lambda: words in str(app.screen.query_one(TitleBar).render()), words)

    return ready


def is_settled(app: SdaApp) -> bool:
    """Whether all is drawn: charts get their size after the first drawing, spectrograms are read later."""
    screen = app.screen
    assert isinstance(screen, DashboardScreen)
    panel = screen.query_one(PreviewPanel)
    return (
        screen.has_drawn
        and all(plot.is_drawn or plot.is_empty for plot in screen.query(Plot) if plot.size)
        and (panel.chosen_path is None or panel.has_drawn or not panel.size)
    )
