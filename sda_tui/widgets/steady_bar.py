"""A progress bar that costs nothing while it stands still."""

from textual.reactive import reactive
from textual.widgets import ProgressBar


class SteadyBar(ProgressBar):
    """Textual's draws itself anew each second for its estimate of the time left, which is not shown here."""

    _display_eta: reactive[int | None] = reactive(None, repaint=False)
