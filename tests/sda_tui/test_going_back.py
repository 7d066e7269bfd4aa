"""Going back to a checkpoint, and other settings on the way, in the app."""

from pathlib import Path

from textual.widgets import Input, OptionList

from core.events import RunState, SettingsChanged
from core.runs import RunDirectory, summarise
from sda_tui.screens.continue_with import ContinueScreen
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.runs import RunsScreen
from tests.conftest import MakeRun
from tests.sda_tui.driving import open_dashboard, running, shows, text, until
from tests.training import logged, of, train


def options(app: object) -> list[str]:
    listed = app.screen.query_one(OptionList)  # type: ignore[attr-defined]
    return [str(option.prompt) for option in listed.options]


async def test_a_run_is_branched_from_the_best_by_one_key_and_enter(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run("drums-001", epochs=3, preview_samples=0)
    train(run)
    best = summarise(run).last_epoch.best_epoch  # type: ignore[union-attr]
    assert best < 3
    async with running(tmp_path) as (app, pilot):
        await open_dashboard(app, pilot, run)
        await until(pilot, lambda: f"Best epoch {best}" in text(app, "#end"), "best")
        await shows(pilot, "#end", "g back to the best")
        await pilot.press("g")
        await until(
            pilot, lambda: isinstance(app.screen, GoBackScreen) and app.screen.is_ready, "checkpoints"
        )
        assert options(app)[0].split()[:3] == ["best", str(8 * best), str(best)]
        assert options(app)[0].endswith("lowest loss")
        assert [line.split()[0] for line in options(app)[1:]] == ["24", "16", "8"]
        await pilot.press("enter")
        await until(
            pilot,
            lambda: isinstance(app.screen, DashboardScreen) and app.screen.run.path != run.path,
            "branch",
        )
        assert isinstance(app.screen, DashboardScreen)
        made = app.screen.run
        assert made.name == "drums-002"
        await until(pilot, lambda: summarise(made).state is RunState.FINISHED, "end")
    parent = made.read_manifest().parent
    assert parent is not None
    assert (parent.checkpoint, parent.step) == ("best.pt", 8 * best)


async def test_a_run_is_rewound_and_escape_changes_nothing(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("drums-001", preview_samples=0)
    train(run)
    before = run.events.read_bytes()
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
        await pilot.press("g")
        await until(
            pilot, lambda: isinstance(app.screen, GoBackScreen) and app.screen.is_ready, "checkpoints"
        )
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen), "runs again")
        assert run.events.read_bytes() == before
        await pilot.press("g")
        await until(
            pilot, lambda: isinstance(app.screen, GoBackScreen) and app.screen.is_ready, "checkpoints"
        )
        await pilot.press("down", "down", "w")  # best, 16, 8
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "dashboard")
        await until(pilot, lambda: summarise(run).state is RunState.FINISHED, "end")
    assert (run.path / "rewound-001" / "step-000000016.pt").exists()
    assert [path.name for path in run.path.parent.iterdir()] == ["drums-001"]


async def test_a_run_continues_with_other_settings(tmp_path: Path, make_run: MakeRun) -> None:
    run: RunDirectory = make_run("drums-001", preview_samples=0)
    train(run)
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ContinueScreen), "settings")
        assert not app.screen.query("#setting-latent_dim")
        app.screen.query_one("#setting-kl_weight").query_one(Input).value = "x"
        await until(pilot, lambda: "kl_weight must be" in text(app, "#changes"), "problem")
        app.screen.query_one("#setting-kl_weight").query_one(Input).value = "3"
        app.screen.query_one("#setting-epochs").query_one(Input).value = "3"
        await until(pilot, lambda: "kl_weight 3" in text(app, "#changes"), "change")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "dashboard")
        await until(pilot, lambda: "Since step 16" in text(app, "#best"), "change is shown")
        await shows(pilot, "#best", "kl_weight=3 (before: epochs=2 kl_weight=1)")
        await until(pilot, lambda: summarise(run).state is RunState.FINISHED, "end")
    (change,) = of(SettingsChanged, logged(run))
    assert (change.step, change.now) == (16, "epochs=3 kl_weight=3")
