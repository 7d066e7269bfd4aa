"""The training losses of the newest steps, at every size of the terminal."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Sparkline

TITLE = "Training loss, newest steps"


class NewestLosses(Vertical):
    """A sparkline, and a title that is not drawn again with it: where there is no loss, it says why."""

    def compose(self) -> ComposeResult:
        yield Sparkline()

    def show(self, losses: Iterable[float], why_none: str) -> None:
        sparkline = self.query_one(Sparkline)
        sparkline.data = list(losses)
        title = TITLE if sparkline.data else why_none
        if title != self.border_title:
            self.border_title = title
