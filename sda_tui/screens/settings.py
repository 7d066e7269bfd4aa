"""Accept the suggested preset, or change any of its settings."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Input, Label, Select, Static

from core.config import ARCHITECTURE, PRESETS, SETTINGS, SettingValue, TrainingConfig, find_device
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
    estimate_time,
    suggest_name,
)
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.keymap import KEYMAP
from sda_tui.look import describe_sources
from sda_tui.run_plan import plan_details, short_plan
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.session import Session
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.preset_chooser import PresetChooser
from sda_tui.widgets.setting_help import SETTINGS_WIDTHS, SettingHelp, Subject
from sda_tui.widgets.setting_row import SettingRow
from sda_tui.widgets.settings_form import SettingsForm
from sda_tui.widgets.settings_scroll import SettingsScroll
from sda_tui.widgets.title_bar import TitleBar

NEW_MODEL = ("a new model", "")
ESTIMATE_DELAY_S = 0.2  # after the last key: the split of thousands of files is computed again
ABOUT = {
    "name": (
        "Name of the run",
        "Of the folder that everything of the run is kept in, below that of all runs.",
    ),
    "device": ("Device", "What computes the model: a GPU is many times as fast as the CPU."),
    "start-model": (
        "Start from",
        "The model of an earlier run learns on with these sounds, as one that knows them.",
    ),
    "filter": ("Filter", "Shows the settings whose name, group or help has all these words; esc clears it."),
    "changed": ("Changed settings", "⏎ or a click goes to the setting, ctrl+r resets it."),
}
GROUP_HELP = ("Settings", "⏎ or a click folds a group or unfolds it, a all of them; / filters by a word.")


class SettingsScreen(LeftOnce, UntilLeft, Screen[None]):
    """The settings of a run on the scanned folder, those of another run if one is given to begin with.

    Posts `Started` with the run, or `Queued` where another run trains.  `preset` and `device` are what the
    user configured for new runs; "auto" and an empty one are no wish.
    """

    SCOPE = "settings"
    BINDINGS = KEYMAP[SCOPE].bindings()
    HORIZONTAL_BREAKPOINTS = SETTINGS_WIDTHS
    AUTO_FOCUS = ""  # it would scroll

    class Started(Message):
        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    class Queued(Message):
        def __init__(self, run: RunDirectory, place: int) -> None:
            super().__init__()
            self.run = run
            self.place = place

    def __init__(
        self,
        session: Session,
        report: ScanReport,
        preset: str = "auto",
        device: str = "",
        like: RunManifest | None = None,
    ) -> None:
        super().__init__()
        self._session = session
        self.report = report
        self._preset = PRESETS.get(preset) or PRESETS[report.suggested_preset]
        self._wanted_device = device
        self._start_model: StartModel | None = None
        self._runs: Sequence[RunSummary] = ()
        self._first_changes: dict[str, SettingValue] = {}
        if like is not None and like.preset in PRESETS:
            self._preset = PRESETS[like.preset]
            self._first_changes = {name: change.value for name, change in changed_settings(like).items()}
        self._estimate_timer: Timer | None = None
        self._suggested_name = ""
        self._shown_devices: tuple[DeviceInfo, ...] = ()

    def compose(self) -> ComposeResult:
        report = self.report
        yield TitleBar("settings", describe_sources(report.source_paths))
        with Horizontal(id="settings-body"):
            with SettingsScroll(id="settings"):
                files = fmt.count(len(report.usable_files), "file")
                suggestion = (
                    f"{PRESETS[report.suggested_preset].title} is suggested: {report.suggestion_reason}"
                )
                yield Static(
                    Text(f"{files}, {fmt.sound_duration(report.duration_s)}. {suggestion}"), id="suggestion"
                )
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
                yield SettingsForm(SETTINGS, changes=self._first_changes)
                yield Static(id="plan-details")
            yield SettingHelp()
        with Horizontal(id="plan"):
            with VerticalScroll(id="plan-text", can_focus=False):
                yield Static(id="estimate")
            yield Button("Start training  ⏎", id="start", variant="primary")
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one("#start-line").display = False
        chooser = self.query_one(PresetChooser)
        chooser.chosen = self._preset.name
        self.set_focus(chooser, scroll_visible=False)

    def on_screen_resume(self) -> None:
        """Bring up to date what may have changed since the screen was left, unless the user changed it."""
        self.show_devices()
        name = self.query_one("#name", Input)
        if name.value == self._suggested_name:
            self._suggested_name = suggest_name(self._session.root, self.report.source_paths)
            name.value = self._suggested_name
        read_beside(self, self._read_runs, self._take_runs, lambda _: None)

    def _read_runs(self) -> tuple[list[RunSummary], list[RunSummary]]:
        """On a thread: all runs, and those that have a model."""
        runs = list(self._session.summaries.read())
        return runs, [each for each in runs if is_file(each.run.checkpoints / BEST_FILE)]

    def _take_runs(self, read: tuple[list[RunSummary], list[RunSummary]]) -> None:
        """Estimate times by earlier runs, and offer the models of those that have one."""
        self._runs, trained = read
        self._estimate_soon()
        if self._start_model is not None or self._is_opening:
            return
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
        self._form.set_locked(ARCHITECTURE, model is not None)
        self.show_preset(PresetChooser.Chosen(self._preset))

    @property
    def _form(self) -> SettingsForm:
        return self.query_one(SettingsForm)

    def _defaults(self) -> TrainingConfig:
        """The settings before the user changes any."""
        config = self._preset.config()
        return config if self._start_model is None else config.with_settings(self._start_model.settings({}))

    def show_devices(self) -> None:
        """List the devices, once the engine has reported them."""
        devices = self._session.devices
        if devices != self._shown_devices:
            self._shown_devices = devices
            select = self.query_one("#device", Select)
            select.set_options(
                (Text(f"{device.name}  {device.title}, {fmt.size(device.memory_bytes)}"), device.name)
                for device in devices
            )
            self._choose_wanted_device(select)

    def _choose_wanted_device(self, select: Select[str]) -> None:
        if self._wanted_device and self._shown_devices:
            try:
                select.value = find_device(self._wanted_device, self._shown_devices).name
            except SdaError as error:
                self.notify(f"{error} The best one is chosen.", title="Configuration", severity="warning")
            self._wanted_device = ""

    @on(PresetChooser.Chosen)
    def show_preset(self, message: PresetChooser.Chosen) -> None:
        """Fill in a preset's values; what the user changed stays changed."""
        self._preset = message.preset
        self._form.show(self._defaults())
        self._show_estimate()

    @on(SettingsForm.Edited)
    def take_edit(self) -> None:
        self.explain_focused()
        self._estimate_soon()

    @on(Select.Changed, "#device")
    def _estimate_soon(self) -> None:
        if self._estimate_timer is not None:
            self._estimate_timer.stop()
        self._estimate_timer = self.set_timer(ESTIMATE_DELAY_S, self._show_estimate)

    def on_descendant_focus(self) -> None:
        self.explain_focused()

    def explain_focused(self) -> None:
        """Show the help of what has the focus."""
        focused = self.focused or self.query_one(PresetChooser)
        row = next((each for each in focused.ancestors if isinstance(each, SettingRow)), None)
        about: Subject = row or ABOUT.get(focused.id or "", GROUP_HELP)
        if focused.id == "presets":
            about = self._preset
        elif focused.id == "start":
            about = ("The run", str(self.query_one("#plan-details", Static).content))
        self.query_one(SettingHelp).show(about)

    def manifest(self) -> RunManifest:
        """What a run started now would do.  Raises SdaError."""
        config = self._defaults().with_settings(self._form.changes)
        parent = self._start_model.parent if self._start_model else None
        return RunManifest.from_scan(self.report, self._preset.name, config, parent)

    def _show_estimate(self) -> None:
        problems = self._form.problems
        self.query_one("#start", Button).disabled = bool(problems)
        estimate = self.query_one("#estimate", Static)
        estimate.set_class(bool(problems), "-error")
        if problems:
            estimate.update(Text("✗ " + " ".join(problems.values())))
            self.explain_focused()
            return
        manifest = self.manifest()
        run = estimate_run(manifest)
        name = self.query_one("#device", Select).value
        device = next((each for each in self._session.devices if each.name == name), None)
        time = estimate_time(manifest, device, self._runs) if device is not None else None
        estimate.update(Text(short_plan(manifest, run, device, time)))
        self.query_one("#plan-details", Static).update(Text(plan_details(manifest, run, device, time)))
        self.explain_focused()

    @on(PresetChooser.Accepted)
    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        if problems := self._form.problems:
            self.notify(" ".join(problems.values()), severity="error")
            self._form.go_to(next(iter(problems)))
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
        self._form.toggle_groups()

    def action_filter(self) -> None:
        self.query_one("#filter", Input).focus()

    def action_reset(self) -> None:
        """Reset the field that has the focus, or all of them."""
        if self._form.reset_chosen():
            return
        self._form.reset_all()
        self.show_preset(PresetChooser.Chosen(self._preset))
        self.notify(f"All settings are back at the preset {self._preset.title}.")

    def action_back(self) -> None:
        """Leave the field, then the screen."""
        if isinstance(self.focused, Input) and self.focused.id != "filter":
            self.set_focus(None)
        else:
            self.dismiss()
