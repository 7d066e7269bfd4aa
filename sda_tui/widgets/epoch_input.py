"""A field for the number of an epoch, which goes when it is answered or left."""

from textual import on
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input


class EpochInput(Input):
    """Takes digits alone."""

    BINDINGS = [Binding("escape", "leave", "Leave")]

    class Answered(Message):
        """An epoch was asked for; None: none was."""

        def __init__(self, epoch: int | None) -> None:
            super().__init__()
            self.epoch = epoch

    def __init__(self, id: str | None = None) -> None:
        super().__init__(
            id=id, type="integer", restrict=r"[0-9]{0,9}", compact=True, placeholder="number of the epoch, ⏎"
        )
        self.display = False

    def ask(self) -> None:
        self.value = ""
        self.display = True
        self.focus()

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        event.stop()
        self._close(int(self.value) if self.value else None)

    def action_leave(self) -> None:
        self._close(None)

    def on_blur(self) -> None:
        self.display = False  # without an answer: the focus is where the user wants it

    def _close(self, epoch: int | None) -> None:
        self.display = False
        self.post_message(self.Answered(epoch))
