"""Accept the suggested preset, or change any of its settings."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Collapsible, Footer, Input, Label, Select, Static

from core.config import ARCHITECTURE, PRESETS, SETTINGS, SettingValue, TrainingConfig
from core.data.report import ScanReport
from core.errors import RunNameError, SdaError
from core.events import DeviceInfo
from core.paths import is_file
from core.runs import (
    BEST_FILE,
    RunDirectory,
    RunManifest,
    RunSummary,
    StartModel,
    changed_settings,
    estimate_run,
    suggest_name,
)
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.keymap import KEYMAP
from sda_tui.look import describe_sources
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.session import Session
from sda_tui.widgets.preset_chooser import PresetChooser
from sda_tui.widgets.setting_row import SettingRow
from sda_tui.widgets.title_bar import TitleBar

NEW_MODEL = ("a new model", "")
ESTIMATE_DELAY_S = 0.2  # after the last key: the split of thousands of files is computed again


class SettingsScreen(Screen[None]):
    """The settings of a run on the scanned folder, those of another run if one is given to begin with.

    Posts `Started` with the run, or `Queued` where another run trains.
    """

    SCOPE = "settings"
    BINDINGS = KEYMAP[SCOPE].bindings()

    class Started(Message):
        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    class Queued(Message):
        def __init__(self, run: RunDirectory, place: int) -> None:
            super().__init__()
            self.run = run
            self.place = place

    def __init__(self, session: Session, report: ScanReport, like: RunManifest | None = None) -> None:
        super().__init__()
        self._session = session
        self.report = report
        self._preset = PRESETS[report.suggested_preset]
        self._start_model: StartModel | None = None
        self._changes: dict[str, SettingValue] = {}
        if like is not None and like.preset in PRESETS:
            self._preset = PRESETS[like.preset]
            self._changes = {name: change.value for name, change in changed_settings(like).items()}
        self._problems: dict[str, str] = {}
        self._estimate_timer: Timer | None = None
        self._suggested_name = ""
        self._shown_devices: tuple[DeviceInfo, ...] = ()

    def compose(self) -> ComposeResult:
        report = self.report
        yield TitleBar("settings", describe_sources(report.source_paths))
        with VerticalScroll(id="settings", can_focus=False):
            sounds = f"{fmt.count(len(report.usable_files), 'file')}, {fmt.sound_duration(report.duration_s)}"
            suggestion = f"{PRESETS[report.suggested_preset].title} is suggested: {report.suggestion_reason}"
            yield Static(Text(f"{sounds}. {suggestion}"), id="suggestion")
            yield PresetChooser(report.suggested_preset, id="presets")
            with Horizontal(classes="choice-line"):
                yield Label("Name of the run")
                yield Input(id="name", compact=True)
            with Horizontal(classes="choice-line"):
                yield Label("Device")
                yield Select(
                    [("loading PyTorch…", "")], value="", allow_blank=False, id="device", compact=True
                )
            with Horizontal(classes="choice-line", id="start-line"):
                yield Label("Start from")
                yield Select([NEW_MODEL], value="", allow_blank=False, id="start-model", compact=True)
            yield Static(id="estimate")
            yield Button("Start training  ⏎", id="start", variant="primary")
            with Collapsible(title="Advanced settings", collapsed=True, id="advanced"):
                for group in dict.fromkeys(setting.group for setting in SETTINGS.values()):
                    with Vertical(classes="setting-group"):
                        yield Label(group, classes="setting-group-title")
                        for setting in SETTINGS.values():
                            if setting.group == group:
                                yield SettingRow(setting)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#start-line").display = False
        self.query_one(PresetChooser).chosen = self._preset.name
        self.query_one(PresetChooser).focus()

    def on_screen_resume(self) -> None:
        """Bring up to date what may have changed since the screen was left, unless the user changed it."""
        self.show_devices()
        name = self.query_one("#name", Input)
        if name.value == self._suggested_name:
            self._suggested_name = suggest_name(self._session.root, self.report.source_paths)
            name.value = self._suggested_name
        if self._start_model is None and not self._is_opening:
            read_beside(
                self, lambda: list(self._session.summaries.read()), self._show_start_models, lambda _: None
            )

    def _show_start_models(self, summaries: Sequence[RunSummary]) -> None:
        """Offer the models of runs that have one."""
        trained = [each for each in summaries if is_file(each.run.checkpoints / BEST_FILE)]
        self.query_one("#start-line").display = bool(trained)
        models = [
            (
                Text(f"the model of {printable(each.name)}, {fmt.count(each.epoch, 'epoch')}"),
                str(each.run.path),
            )
            for each in trained
        ]
        self.query_one("#start-model", Select).set_options([NEW_MODEL, *models])

    @on(Select.Changed, "#start-model")
    def choose_start_model(self, event: Select.Changed) -> None:
        event.stop()
        if event.value:
            run = RunDirectory(Path(str(event.value)))
            opened = partial(self._session.open_start_model, run)
            read_beside(self, opened, self._take_start_model, self._refuse_start_model)
        elif self._start_model is not None:
            self._use_start_model(None)

    @property
    def _is_opening(self) -> bool:
        """Whether the model that was chosen is not there yet."""
        used = str(self._start_model.file.parent.parent) if self._start_model else ""
        return bool(self.query_one("#start-model", Select).value != used)

    def _refuse_start_model(self, problem: str) -> None:
        self.query_one("#start-model", Select).value = ""
        self.notify(problem, title="Cannot start from it", severity="error", timeout=10, markup=False)

    def _take_start_model(self, model: StartModel) -> None:
        if str(model.file.parent.parent) == self.query_one("#start-model", Select).value:  # still wanted
            self._use_start_model(model)

    def _use_start_model(self, model: StartModel | None) -> None:
        """Settings that its weights are made for are its own, and cannot be changed."""
        self._start_model = model
        for name in ARCHITECTURE:
            self._changes.pop(name, None)
            self.query_one(f"#setting-{name}", SettingRow).disabled = model is not None
        self.show_preset(PresetChooser.Chosen(self._preset))

    def _defaults(self) -> TrainingConfig:
        """The settings before the user changes any."""
        config = self._preset.config()
        return config if self._start_model is None else config.with_settings(self._start_model.settings({}))

    def show_devices(self) -> None:
        """List the devices, once the engine has reported them."""
        devices = self._session.devices
        if devices != self._shown_devices:
            self._shown_devices = devices
            self.query_one("#device", Select).set_options(
                (Text(f"{device.name}  {device.title}, {fmt.size(device.memory_bytes)}"), device.name)
                for device in devices
            )

    @on(PresetChooser.Chosen)
    def show_preset(self, message: PresetChooser.Chosen) -> None:
        """Fill in a preset's values; what the user changed stays changed."""
        self._preset = message.preset
        self._problems.clear()
        config = self._defaults()
        for row in self.query(SettingRow):
            preset_value = getattr(config, row.setting.name)
            row.show(self._changes.get(row.setting.name, preset_value), preset_value)
        self._show_estimate()

    @on(SettingRow.Changed)
    def take_setting(self, message: SettingRow.Changed) -> None:
        name = message.setting.name
        self._problems.pop(name, None)
        if message.problem:
            self._problems[name] = message.problem
        elif message.value == getattr(self._defaults(), name):
            self._changes.pop(name, None)
        else:
            self._changes[name] = message.value
        if self._estimate_timer is not None:
            self._estimate_timer.stop()
        self._estimate_timer = self.set_timer(ESTIMATE_DELAY_S, self._show_estimate)

    def manifest(self) -> RunManifest:
        """What a run started now would do.  Raises SdaError."""
        config = self._defaults().with_settings(self._changes)
        parent = self._start_model.parent if self._start_model else None
        return RunManifest.from_scan(self.report, self._preset.name, config, parent)

    def _show_estimate(self) -> None:
        changed = len(self._changes)
        title = f"Advanced settings ({changed} changed)" if changed else "Advanced settings"
        self.query_one("#advanced", Collapsible).title = title
        self.query_one("#start", Button).disabled = bool(self._problems)
        estimate = self.query_one("#estimate", Static)
        estimate.set_class(bool(self._problems), "-error")
        if self._problems:
            estimate.update(Text("✗ " + " ".join(self._problems.values())))
            return
        manifest = self.manifest()
        run = estimate_run(manifest)
        work = (
            "" if 0.9 < run.work < 1.1 else f"; a chunk takes {run.work:.2g} times as much computing as usual"
        )
        estimate.update(
            Text(
                f"{fmt.count(run.total_steps, 'step')}: {fmt.count(manifest.config.epochs, 'epoch')} of "
                f"{run.steps_per_epoch}, batches of {manifest.config.batch_size}; "
                f"{fmt.count(run.previews, 'preview')}; about {fmt.size(run.disk_bytes)} on disk.\n"
                f"{manifest.split.training_chunks} training chunks, {manifest.split.validation_chunks} for "
                f"validation. {manifest.split.note}\n"
                f"A model of {run.weights / 1e6:.1f} million weights{work}."
            )
        )

    @on(PresetChooser.Accepted)
    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        if self._problems:
            self.notify(" ".join(self._problems.values()), severity="error")
            self._show_row(next(iter(self._problems)))
            return
        if self._is_opening:
            self.notify("The model to start from is being read; start in a moment.", severity="warning")
            return
        name = self.query_one("#name", Input)
        written = name.value.strip()
        wanted = None if written == self._suggested_name else written  # the suggested one may be taken by now
        device = str(self.query_one("#device", Select).value) or None
        if self._session.is_training:
            self._offer_queue(wanted, device)
            return
        try:
            run = self._session.start(wanted, self.manifest(), device, self._start_model)
        except SdaError as error:
            if isinstance(error, RunNameError):
                name.focus()
            self.notify(explain(error), title="Cannot start", severity="error", timeout=10)
        else:
            self.post_message(self.Started(run))

    def _offer_queue(self, name: str | None, device: str | None) -> None:
        """Ask whether the run shall wait until the one that trains here has ended."""

        def answer(choice: str | None) -> None:
            if choice != "queue":
                return
            try:
                run, place = self._session.start_queued(name, self.manifest(), device, self._start_model)
            except SdaError as error:
                self.notify(explain(error), title="Cannot queue", severity="error", timeout=10)
            else:
                self.post_message(self.Queued(run, place))

        choices = Choice("queue", "Queue it", "y"), Choice("stay", "Stay here", "n")
        text = "It begins by itself when the runs before it have ended."
        self.app.push_screen(ChoiceScreen("A run trains now. Queue this one?", text, choices), answer)

    def action_preset(self, name: str) -> None:
        self.query_one(PresetChooser).chosen = name

    def action_advanced(self) -> None:
        advanced = self.query_one("#advanced", Collapsible)
        advanced.collapsed = not advanced.collapsed
        advanced.query_one("CollapsibleTitle").focus()  # no field, which would take the same key as text
        advanced.scroll_visible(top=True)

    def _show_row(self, name: str) -> None:
        """Go to the field of a setting."""
        self.query_one("#advanced", Collapsible).collapsed = False
        row = self.query_one(f"#setting-{name}", SettingRow)
        self.call_after_refresh(row.query_one("Input, Select").focus)

    def action_reset(self) -> None:
        """Reset the field that has the focus, or all of them."""
        row = next((each for each in self.query(SettingRow) if each.has_focus_within), None)
        if row is not None:
            row.reset()
            return
        self._changes.clear()
        self.show_preset(PresetChooser.Chosen(self._preset))
        self.notify(f"All settings are back at the preset {self._preset.title}.")

    def action_back(self) -> None:
        self.app.pop_screen()
