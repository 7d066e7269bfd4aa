"""Which screen comes after which."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ReturnType
from textual.screen import Screen

from sda_tui.configuration.reading import Read
from sda_tui.configured_app import ConfiguredApp

if TYPE_CHECKING:
    from core.data.report import ScanReport
    from core.runs import RunDirectory, RunManifest
    from sda_tui.listening import Listening
    from sda_tui.screens.dashboard import DashboardScreen
    from sda_tui.screens.datasets import DatasetScreen
    from sda_tui.screens.run_screen import RunScreen
    from sda_tui.screens.runs import RunsScreen
    from sda_tui.screens.settings import SettingsScreen
    from sda_tui.screens.sounds import SoundsScreen
    from sda_tui.session import Session


class Navigation(ConfiguredApp[ReturnType]):
    """Answers the messages of screens that ask for another one.

    Screens are imported when they are shown: the first paint does not wait for them.
    """

    @property
    @abstractmethod
    def session(self) -> "Session":
        """What the app does, without any screen."""

    @property
    @abstractmethod
    def listening(self) -> "Listening":
        """How sounds reach the user."""

    def __init__(self, read: Read, **options: object) -> None:
        super().__init__(read, **options)
        self.has_offered_page = False  # how to listen on another machine was shown
        self._settings: SettingsScreen | None = None
        self._duplicated: RunManifest | None = None  # whose settings the next new run on its sounds gets

    def on_dataset_screen_proceed(self, message: "DatasetScreen.Proceed") -> None:
        from sda_tui.screens.settings import SettingsScreen

        if any(isinstance(screen, SettingsScreen) for screen in self.screen_stack):
            return  # a second enter, typed ahead
        self.session.load_engine()
        self.push_screen(self._settings_of(message.report))

    def _settings_of(self, report: "ScanReport") -> "SettingsScreen":
        """The settings for these sounds; they stay when they are left, with what was edited."""
        from sda_tui.screens.settings import SettingsScreen

        if self._settings is None or self._settings.report != report or self._duplicated is not None:
            if self._settings is not None:
                self.uninstall_screen(self._settings)
                self._settings.remove()
            wanted = self.configuration
            self._settings = SettingsScreen(
                self.session, report, wanted.preset, wanted.device, self._duplicated
            )
            self.install_screen(self._settings, "settings")
            self._duplicated = None
        return self._settings

    def on_dataset_screen_show_runs(self) -> None:
        from sda_tui.screens.runs import RunsScreen

        self.push_screen(RunsScreen(self.session))

    def _show_instead(self, screen: Screen[Any], of: type[Screen[Any]]) -> None:
        """Show a screen in place of the one that asked for it, if that was not left meanwhile."""
        if isinstance(self.screen, of):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def on_settings_screen_started(self, message: "SettingsScreen.Started") -> None:
        from sda_tui.screens.settings import SettingsScreen

        self._show_instead(self.dashboard(message.run), SettingsScreen)

    def on_settings_screen_queued(self, message: "SettingsScreen.Queued") -> None:
        from core.text import printable
        from sda_tui.screens.runs import RunsScreen
        from sda_tui.screens.settings import SettingsScreen

        place = f"number {message.place} in the queue"
        self.notify(f"{printable(message.run.name)} is {place}; it begins when the others have ended.")
        self._show_instead(RunsScreen(self.session), SettingsScreen)

    def on_runs_screen_compare_wanted(self, message: "RunsScreen.CompareWanted") -> None:
        from sda_tui.screens.compare import CompareScreen

        self.push_screen(CompareScreen(message.runs, self.listening))

    def on_runs_screen_duplicate_wanted(self, message: "RunsScreen.DuplicateWanted") -> None:
        """Scan the sounds of a run again; the settings for them will be those of the run."""
        from core.text import printable
        from sda_tui.screens.datasets import DatasetScreen

        manifest = message.run.manifest
        datasets = next((each for each in self.screen_stack if isinstance(each, DatasetScreen)), None)
        if manifest is None or datasets is None:
            return
        while self.screen is not datasets:
            self.pop_screen()
        self._duplicated = manifest
        datasets.choose(manifest.source_paths, [file.path for file in manifest.left_out])
        name = printable(message.run.name)
        self.notify(f"Its sounds are scanned again; the settings that follow are those of {name}.")

    def on_dataset_screen_chosen_anew(self) -> None:
        """Other sounds were chosen: settings of a run are not for them."""
        self._duplicated = None

    def on_runs_screen_opened(self, message: "RunsScreen.Opened") -> None:
        self.push_screen(self.dashboard(message.run))

    def on_runs_screen_making_wanted(self, message: "RunsScreen.MakingWanted") -> None:
        self.show_sounds(message.run.path)

    def on_run_screen_making_wanted(self, message: "RunScreen.MakingWanted") -> None:
        self.show_sounds(message.run.path)

    def show_sounds(self, model: Path) -> None:
        from sda_tui.screens.sounds import SoundsScreen

        self.push_screen(SoundsScreen(self.session, model, self.listening))

    def on_sounds_screen_explored(self, message: "SoundsScreen.Explored") -> None:
        from sda_tui.screens.explore import ExploreScreen

        self.push_screen(ExploreScreen(message.model, self.listening))

    def on_run_screen_went_back(self, message: "RunScreen.WentBack") -> None:
        from sda_tui.screens.run_screen import RunScreen

        self._show_instead(self.dashboard(message.run), RunScreen)

    def dashboard(self, run: "RunDirectory") -> "DashboardScreen":
        from sda_tui.screens.dashboard import DashboardScreen

        return DashboardScreen(self.session, run, self.listening, charts=self.configuration.charts)

    def action_listen(self) -> None:
        """Show how to listen on another machine."""
        from sda_tui.screens.listen import ListenScreen

        self.has_offered_page = True
        self.push_screen(ListenScreen(self.listening))

    def action_players(self) -> None:
        from sda_tui.screens.players import PlayersScreen

        self.push_screen(PlayersScreen(self.listening))
