"""How each screen looks, in the states that it can be in.

After a change of looks that is meant: `pytest --snapshot-update tests/sda_tui/test_snapshots.py`, then look
at what changed in `__snapshots__`.

Nothing in a picture depends on the machine: names, sizes and times are fixed, the home directory is the
test's own, and the engine is never loaded.
"""

import dataclasses
import math
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from core.engine import Runner
from core.events import (
    CheckpointSaved,
    DeviceInfo,
    LoadProgress,
    PreviewReady,
    RunEvent,
    RunState,
    StateChanged,
    Warned,
    WarningKind,
    to_json,
)
from core.runs import RunDirectory, read_picture
from core.runs.generated import append_provenance
from sda_tui.app import Leave, SdaApp
from sda_tui.playback import Outputs
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.continue_with import ContinueScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.help import HelpScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.screens.sounds import SoundsScreen
from sda_tui.widgets.charts import Plot
from sda_tui.widgets.preview_panel import PreviewPanel
from sda_tui.widgets.spectrogram import Spectrogram
from sda_tui.widgets.table import Table
from sda_tui.widgets.title_bar import TitleBar
from tests.conftest import create_run
from tests.sda_tui.driving import NARROW, WIDE, a_step, an_epoch, text, until
from tests.sounds import write_tone

NOW_S = 1_750_000_000.0
EPOCHS, TRAINED_EPOCHS = 40, 27
STEPS_PER_EPOCH = 4  # of eight training chunks, in batches of two
TOTAL_STEPS, TRAINED_STEPS = EPOCHS * STEPS_PER_EPOCH, TRAINED_EPOCHS * STEPS_PER_EPOCH
STEP_TIME_S = 0.5
CHECKPOINT_BYTES = 41_400_000
ENVELOPE = tuple(round(math.exp(-index / 20) * abs(math.sin(index)), 3) for index in range(100))

sizes = pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "120x36"])

Snapshot = Callable[..., bool]
Ready = Callable[[SdaApp, Pilot[Leave]], Awaitable[None]]
Look = Callable[[SdaApp, Ready], None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with sounds, which the app is started in; paths below it are shown with `~`."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    write_sounds(home / "sounds" / "drums")
    (home / "sounds" / "field-recordings").mkdir()
    monkeypatch.chdir(home / "sounds")
    return home


def write_sounds(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index, name in enumerate(("clap", "crash", "hat-closed", "hat-open", "kick", "ride", "snare", "tom")):
        write_tone(folder / f"{name}.wav", 110.0 * (index + 1), 1.0 + index / 4)


@pytest.fixture
def look(
    snap_compare: Snapshot, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> Callable[[SdaApp, Ready], None]:
    """Compares the screen with its snapshot once it is ready, at a size, without an engine.

    In full colour, and as if a sound card were there.
    """
    monkeypatch.setattr(Runner, "load", lambda _: None)
    monkeypatch.setattr(Outputs, "prepare", lambda _: None)
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def compare(app: SdaApp, ready: Ready) -> None:
        async def prepare(pilot: Pilot[Leave]) -> None:
            await ready(app, pilot)
            for field in app.screen.query(Input):
                field.cursor_blink = False
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=prepare)

    return compare


# -- datasets and settings --------------------------------------------------------------------------------


@sizes
def test_datasets_before_a_choice(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        tree = app.screen.query_one("#tree")
        await until(pilot, lambda: len(tree.root.children) == 2, "folders")  # type: ignore[attr-defined]

    look(SdaApp(home / "runs"), on_first_screen(ready))


@sizes
def test_datasets_scanned(look: Look, home: Path) -> None:
    drums = home / "sounds" / "drums"
    write_tone(drums / "click.wav", 300.0, 0.1)
    (drums / "notes.txt").write_text("x")
    look(SdaApp(home / "runs", [drums]), on_first_screen(until_scanned))


@sizes
def test_datasets_without_usable_files(look: Look, home: Path) -> None:
    folder = home / "sounds" / "field-recordings"
    (folder / "notes.txt").write_text("x")

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until(pilot, lambda: app.screen.query_one("#scan-status").has_class("-error"), "error")

    look(SdaApp(home / "runs", [folder]), on_first_screen(ready))


@sizes
def test_settings(look: Look, home: Path) -> None:
    look(SdaApp(home / "runs", [home / "sounds" / "drums"]), on_first_screen(until_settings))


@sizes
def test_advanced_settings(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until_settings(app, pilot)
        await pilot.press(
            "a", "tab", "1", "2"
        )  # 12 epochs in place of the preset's 100: a mark, another estimate
        await until(pilot, lambda: text(app, "#estimate").count("12 epochs of") == 1, "estimate")

    look(SdaApp(home / "runs", [home / "sounds" / "drums"]), on_first_screen(ready))


def on_first_screen(ready: Ready) -> Ready:
    async def wait(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until(pilot, lambda: bool(app.screen.query("#scan-status")), "first screen")
        await ready(app, pilot)

    return wait


async def until_scanned(app: SdaApp, pilot: Pilot[Leave]) -> None:
    await until(pilot, lambda: "Suggested preset" in text(app, "#totals"), "scan")


async def until_settings(app: SdaApp, pilot: Pilot[Leave]) -> None:
    await until_scanned(app, pilot)
    app.session.devices = (DeviceInfo("cpu", "CPU", 16_000_000_000),)
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen), "settings")
    await until(pilot, lambda: "epochs of" in text(app, "#estimate"), "estimate")


# -- dashboard --------------------------------------------------------------------------------------------


@sizes
def test_dashboard_loading(look: Look, home: Path) -> None:
    loading = [StateChanged("loading", 0, 0, TOTAL_STEPS, EPOCHS), LoadProgress("decoding", 3, 8)]
    with training(make_run(home, "drums-001", loading)) as run:
        look(SdaApp(home / "runs", attached=run), until_titled("decoding 3/8"))


@sizes
def test_dashboard_training(look: Look, home: Path) -> None:
    with training(make_run(home, "drums-001", trained(TRAINED_EPOCHS))) as run:
        look(SdaApp(home / "runs", attached=run), until_drawn("epoch 27/40"))


@sizes
def test_dashboard_training_with_warnings(look: Look, home: Path) -> None:
    warnings = [
        Warned(
            WarningKind.DISK, "The checkpoint cannot be written (No space left on device).", TRAINED_STEPS
        ),
        Warned(WarningKind.OVERFITTING, "Overfitting: held-out sounds get worse.", TRAINED_STEPS),
    ]
    with training(make_run(home, "drums-001", [*trained(TRAINED_EPOCHS), *warnings])) as run:
        look(SdaApp(home / "runs", attached=run), until_drawn("epoch 27/40"))


@sizes
def test_dashboard_failed(look: Look, home: Path) -> None:
    end = StateChanged(
        "failed", TRAINED_STEPS, TRAINED_EPOCHS, TOTAL_STEPS, EPOCHS, "The device was lost; see run.log."
    )
    run = make_run(home, "drums-001", [*trained(TRAINED_EPOCHS), end])
    look(SdaApp(home / "runs", attached=run), until_drawn("failed"))


@sizes
def test_dashboard_interrupted(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", trained(TRAINED_EPOCHS))
    look(SdaApp(home / "runs", attached=run), until_drawn("interrupted"))


@sizes
def test_dashboard_finished(look: Look, home: Path) -> None:
    look(SdaApp(home / "runs", attached=make_run(home, "drums-001", finished())), until_drawn("finished"))


def until_titled(words: str) -> Ready:
    """Wait until the dashboard has drawn the log, which its title then shows."""

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until(pilot, lambda: words in str(app.screen.query_one(TitleBar).render()), words)

    return ready


def until_drawn(words: str) -> Ready:
    """Wait until the curves are drawn too: on a busy machine they get their size after the first drawing."""

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until_titled(words)(app, pilot)
        await until(
            pilot, lambda: all(plot.is_drawn for plot in app.screen.query(Plot) if plot.size), "charts"
        )
        panel = app.screen.query_one(PreviewPanel)
        await until(pilot, lambda: panel.chosen_path is None or panel.has_drawn, "the spectrogram")

    return ready


# -- runs, help, questions --------------------------------------------------------------------------------


@sizes
def test_runs_without_any(look: Look, home: Path) -> None:
    look(SdaApp(home / "runs"), on_runs_screen("No runs here yet"))


@sizes
def test_runs_in_every_state(look: Look, home: Path) -> None:
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
        look(SdaApp(home / "runs"), on_runs_screen("finished after"))


def on_runs_screen(words: str) -> Ready:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(RunsScreen(app.session, clock=lambda: NOW_S))
        await until(pilot, lambda: words in str(app.screen.query_one("#run-summary", Static).render()), words)

    return on_first_screen(ready)


@sizes
def test_sounds_made_from_a_run(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", finished())
    run.generated.mkdir()
    for number, (near, seconds) in enumerate((("kick.wav", 0.4), ("hat-open.wav", 0.9), ("tom.wav", 1.0)), 1):
        name = f"drums-001-e0040-s7-{number:03}.wav"
        write_tone(run.generated / name, 100.0 * number, seconds)
        about = {"file": name, "kind": "generate", "duration_s": seconds, "near": {"number": 1, "path": near}}
        append_provenance(run.generated, {**about, "starred": number == 2})

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(SoundsScreen(app.session, run.path, app.listening))
        table = app.screen.query_one(Table)
        await until(pilot, lambda: table.row_count == 3, "sounds")
        await pilot.press("down")
        wanted = read_picture(run.generated / "drums-001-e0040-s7-002.wav")
        picture = app.screen.query_one("#made-picture", Spectrogram)
        await until(pilot, lambda: np.array_equal(picture.levels, wanted), "picture")

    look(SdaApp(home / "runs"), on_first_screen(ready))


@sizes
def test_help(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(HelpScreen("dashboard"))

    look(SdaApp(home / "runs"), on_first_screen(ready))


@sizes
def test_question(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(
            ChoiceScreen(
                "Stop training?",
                "The state at step 108 is saved; Runs continues from there.",
                (Choice("stay", "Keep training", "n"), Choice("stop", "Stop and save", "y")),
            )
        )

    look(SdaApp(home / "runs"), on_first_screen(ready))


@sizes
def test_go_back(look: Look, home: Path) -> None:
    best = CheckpointSaved(27, 108, "checkpoints/best.pt", "best", CHECKPOINT_BYTES)
    by_hand = CheckpointSaved(12, 51, "checkpoints/step-000000051-saved.pt", "manual", CHECKPOINT_BYTES)
    run = make_run(home, "drums-001", [*finished(), best, by_hand])
    for name in ("step-000000051-saved.pt", "step-000000080.pt", "step-000000120.pt", "step-000000160.pt"):
        (run.checkpoints / name).touch()

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        screen = GoBackScreen(app.session, run)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.is_ready, "checkpoints")

    look(SdaApp(home / "runs"), on_first_screen(ready))


@sizes
def test_continue_with_other_settings(look: Look, home: Path) -> None:
    run = make_run(home, "drums-001", trained(TRAINED_EPOCHS))

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(ContinueScreen(run.name, run.read_manifest().config))
        row = app.screen.query_one("#setting-weight_decay")
        row.query_one(Input).value = "0.2"
        await until(pilot, lambda: "weight_decay 0.2" in text(app, "#changes"), "change")

    look(SdaApp(home / "runs"), on_first_screen(ready))


# -- runs that were never trained -------------------------------------------------------------------------


def make_run(home: Path, name: str, events: Iterable[RunEvent], age_s: float = 0) -> RunDirectory:
    """A run on the drums with this log, a checkpoint's worth of bytes, and last touched so long ago."""
    settings = {"epochs": EPOCHS, "chunk_duration_s": 1.0}
    run = create_run(home / "runs", name, home / "sounds" / "drums", settings)
    events = list(events)
    lines = (to_json(event, NOW_S + STEP_TIME_S * number) for number, event in enumerate(events))
    for event in events:
        if isinstance(event, PreviewReady):
            write_files_of(run, event)
    run.events.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with (run.checkpoints / "best.pt").open("wb") as file:
        file.truncate(CHECKPOINT_BYTES)
    os.utime(run.events, (NOW_S - age_s, NOW_S - age_s))
    return run


def write_files_of(run: RunDirectory, preview: PreviewReady) -> None:
    """A tone, and a picture of a glide with its overtone."""
    path = write_tone(run.path / preview.path)
    time, mel = np.arange(94), np.arange(128)[:, None]
    glides = (np.exp(-(((mel - partial * (20 + time / 4)) / 4) ** 2)) for partial in (1, 2))
    np.save(path.with_suffix(".npy"), (8 * sum(glides) * np.exp(-time / 40)).astype(np.float32))


@contextmanager
def training(run: RunDirectory) -> Iterator[RunDirectory]:
    """Hold the lock, as the process does that trains the run."""
    run.lock.acquire()
    try:
        yield run
    finally:
        run.lock.release()


def trained(epochs: int) -> Iterator[RunEvent]:
    """The log of a run so many epochs on: losses fall, previews come every tenth epoch."""
    yield StateChanged("training", 0, 0, TOTAL_STEPS, EPOCHS)
    yield preview(0, "original", "drums/kick.wav")
    for epoch in range(1, epochs + 1):
        for index in range(STEPS_PER_EPOCH):
            step = (epoch - 1) * STEPS_PER_EPOCH + index + 1
            loss = 2 * math.exp(-step / 48) + 0.1 * math.sin(step)
            yield dataclasses.replace(
                a_step(step, loss), epoch=epoch, total_steps=TOTAL_STEPS, step_time_s=STEP_TIME_S
            )
        step = epoch * STEPS_PER_EPOCH
        yield dataclasses.replace(
            an_epoch(epoch, best_epoch=epoch, gap=epoch / 200),
            total_epochs=EPOCHS,
            step=step,
            train_loss=2 * math.exp(-step / 48),
            validation_loss=2.2 * math.exp(-step / 60),
            best_validation_loss=2.2 * math.exp(-step / 60),
            elapsed_s=step * STEP_TIME_S,
            eta_s=(TOTAL_STEPS - step) * STEP_TIME_S,
            memory_used_bytes=1_200_000_000,
            memory_peak_bytes=1_500_000_000,
            memory_total_bytes=16_000_000_000,
        )
        if epoch % 10 == 0:
            yield preview(epoch, "reconstruction", "drums/kick.wav")
            yield preview(epoch, "sample", "new sound 1")
            path = f"checkpoints/step-{step:09}.pt"
            yield CheckpointSaved(epoch, step, path, "interval", CHECKPOINT_BYTES)


def finished() -> Iterator[RunEvent]:
    yield from trained(EPOCHS)
    yield StateChanged("finished", TOTAL_STEPS, EPOCHS, TOTAL_STEPS, EPOCHS)


def preview(epoch: int, kind: str, label: str) -> PreviewReady:
    path = f"previews/epoch-{epoch:04}-{kind}.wav"
    return PreviewReady(epoch, epoch * STEPS_PER_EPOCH, kind, label, path, 1.0, ENVELOPE)
