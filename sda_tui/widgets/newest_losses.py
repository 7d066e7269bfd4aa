"""The training losses of the newest steps, at every size of the terminal."""

from collections.abc import Iterable

from textual.widgets import Sparkline

TITLE = "Training loss, newest steps"


class NewestLosses(Sparkline):
    """A sparkline; where there is no loss yet, its title says why.  Drawn only when it looks different."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown_title = ""

    def show(self, losses: Iterable[float], why_none: str) -> None:
        self.data = list(losses)
        title = TITLE if self.data else why_none
        if title != self._shown_title:
            self._shown_title = self.border_title = title
