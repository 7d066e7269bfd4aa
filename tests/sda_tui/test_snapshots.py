"""How each screen but the dashboard and those of sounds looks, in the states that it can be in.

After a change of looks that is meant: `pytest --snapshot-update tests/sda_tui/test_snapshots.py`, then look
at what changed in `__snapshots__`.

Nothing in a picture depends on the machine: names, sizes and times are fixed, the home directory is the
test's own, and the engine is never loaded.
"""

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from core.events import CheckpointSaved, DeviceInfo, RunState, StateChanged
from core.runs import summarise
from sda_tui.app import Leave, SdaApp
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.choose_charts import ChooseChartsScreen
from sda_tui.screens.compare import CompareScreen
from sda_tui.screens.continue_with import ContinueScreen
from sda_tui.screens.explain import ExplainScreen
from sda_tui.screens.export import ExportScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.help import HelpScreen
from sda_tui.screens.resume import ResumeScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.widgets.chart import Chart
from tests.sda_tui.driving import text, until
from tests.sda_tui.logged_runs import (
    CHECKPOINT_BYTES,
    EPOCHS,
    NOW_S,
    TOTAL_STEPS,
    TRAINED_EPOCHS,
    TRAINED_STEPS,
    finished,
    make_run,
    trained,
    training,
)
from tests.sda_tui.snapshots import Look, Ready, on_first_screen
from tests.sounds import write_tone

# -- datasets and settings --------------------------------------------------------------------------------


async def test_datasets_before_a_choice(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        tree = app.screen.query_one("#tree")
        await until(pilot, lambda: len(tree.root.children) == 2, "folders")  # type: ignore[attr-defined]

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_datasets_scanned(look: Look, home: Path) -> None:
    drums = home / "sounds" / "drums"
    write_tone(drums / "click.wav", 300.0, 0.1)
    (drums / "notes.txt").write_text("x")
    await look(lambda: SdaApp(home / "runs", [drums]), on_first_screen(until_scanned))


async def test_datasets_without_usable_files(look: Look, home: Path) -> None:
    folder = home / "sounds" / "field-recordings"
    (folder / "notes.txt").write_text("x")

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until(pilot, lambda: app.screen.query_one("#scan-status").has_class("-error"), "error")

    await look(lambda: SdaApp(home / "runs", [folder]), on_first_screen(ready))


async def test_settings(look: Look, home: Path) -> None:
    await look(lambda: SdaApp(home / "runs", [home / "sounds" / "drums"]), on_first_screen(until_settings))


async def test_advanced_settings(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until_settings(app, pilot)
        await pilot.press(
            "a", "tab", "1", "2"
        )  # 12 epochs in place of the preset's 100: a mark, another estimate
        await until(pilot, lambda: text(app, "#estimate").count("12 epochs of") == 1, "estimate")

    await look(lambda: SdaApp(home / "runs", [home / "sounds" / "drums"]), on_first_screen(ready))


async def until_scanned(app: SdaApp, pilot: Pilot[Leave]) -> None:
    await until(pilot, lambda: "Suggested preset" in text(app, "#totals"), "scan")


async def until_settings(app: SdaApp, pilot: Pilot[Leave]) -> None:
    await until_scanned(app, pilot)
    app.session.devices = (DeviceInfo("cpu", "CPU", 16_000_000_000),)
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen), "settings")
    await until(pilot, lambda: "epochs of" in text(app, "#estimate"), "estimate")


# -- runs, help, questions --------------------------------------------------------------------------------


async def test_runs_without_any(look: Look, home: Path) -> None:
    await look(lambda: SdaApp(home / "runs"), on_runs_screen("No runs here yet"))


async def test_runs_in_every_state(look: Look, home: Path) -> None:
    states = [state for state in RunState if not state.is_active and state is not RunState.INTERRUPTED]
    for index, state in enumerate(states):
        problem = "The device was lost; see run.log." if state is RunState.FAILED else ""
        end = StateChanged(state.value, TRAINED_STEPS, TRAINED_EPOCHS, TOTAL_STEPS, EPOCHS, problem)
        make_run(home, f"{state.value}-001", [*trained(TRAINED_EPOCHS), end], age_s=7200 * (index + 2))
    make_run(home, "interrupted-001", trained(12), age_s=90_000)
    broken = make_run(home, "broken-001", trained(3), age_s=900_000)
    broken.run_file.write_text("{")
    make_run(home, "drums-001", finished(), age_s=300)
    with training(make_run(home, "training-001", trained(33), age_s=600)):
        await look(lambda: SdaApp(home / "runs"), on_runs_screen("finished after"))


def on_runs_screen(words: str) -> Ready:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        screen = RunsScreen(app.session, clock=lambda: NOW_S)
        await app.push_screen(screen)
        await until(pilot, lambda: words in str(screen.query_one("#run-summary", Static).render()), words)
        await until(pilot, lambda: screen.is_ready or not screen.table.summaries, "its sounds")

    return on_first_screen(ready)


async def test_two_runs_compared(look: Look, home: Path) -> None:
    runs = [make_run(home, f"drums-{number:03}", trained(20 * number)) for number in (1, 2)]

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        screen = CompareScreen([summarise(run) for run in runs], app.listening)
        await app.push_screen(screen)
        await until(pilot, lambda: bool(screen.query(Chart)), "chart")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_continue_a_finished_run(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", finished())

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        screen = ResumeScreen(app.session, run)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.is_ready, "the run")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_export(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", finished())

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(ExportScreen(app.session, run, app.listening))

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_choice_of_charts(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(ChooseChartsScreen(("loss", "epochs", "device")))

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_palette(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: bool(app.screen.query(OptionList)), "palette")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 5, "commands")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_help(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(HelpScreen("dashboard"))

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_explanations(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(ExplainScreen({"validation": "0.2973"}, "validation"))
        await until(pilot, lambda: "0.2973" in text(app, "#explanation"), "explanation")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_question(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(
            ChoiceScreen(
                "Stop training?",
                "The state at step 108 is saved; Runs continues from there.",
                (Choice("stay", "Keep training", "n"), Choice("stop", "Stop and save", "y")),
            )
        )

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_go_back(look: Look, home: Path) -> None:
    best = CheckpointSaved(27, 108, "checkpoints/best.pt", "best", CHECKPOINT_BYTES)
    by_hand = CheckpointSaved(12, 51, "checkpoints/step-000000051-saved.pt", "manual", CHECKPOINT_BYTES)
    run = make_run(home, "drums-001", [*finished(), best, by_hand])
    for name in ("step-000000051-saved.pt", "step-000000080.pt", "step-000000120.pt", "step-000000160.pt"):
        (run.checkpoints / name).touch()

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        screen = GoBackScreen(app.session, run)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.is_ready, "checkpoints")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_continue_with_other_settings(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", trained(TRAINED_EPOCHS))

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(ContinueScreen(run.name, run.read_manifest().config))
        row = app.screen.query_one("#setting-weight_decay")
        row.query_one(Input).value = "0.2"
        await until(pilot, lambda: "weight_decay 0.2" in text(app, "#changes"), "change")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))
