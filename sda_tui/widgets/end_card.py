"""How a run has ended, and what can be done with it now."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial

from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from core.events import RunState
from core.runs import RunDirectory, RunHistory, RunManifest
from sda_tui.background import read_beside
from sda_tui.ending import BETWEEN, MOST_LINES, Ending, Found, NextStep, keys_of, plan_card
from sda_tui.look import STATES
from sda_tui.until_left import UntilLeft


class EndCard(UntilLeft, Static):
    """Takes no room while this process trains the run.

    What only the disk knows is looked up once for each state, beside the screen.  Drawn again only when its
    text changes.  A click on a step does it.
    """

    def __init__(
        self,
        run: RunDirectory,
        scope: str = "dashboard",
        most_lines: int = MOST_LINES,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._run = run
        self._keys = keys_of(scope)
        self._clock = clock  # seconds since 1970
        self._most_lines = most_lines
        self._ending: Ending | None = None
        self._found: Found | None = None
        self._looked_at: tuple[RunState, int] | None = None  # with the step that it ended at
        self._shown: Content | None = None
        self.add_class("-empty")

    def show_run(
        self, state: RunState, history: RunHistory, manifest: RunManifest | None, is_trained_here: bool
    ) -> None:
        """Show a run; `is_trained_here` says whether this process trains it."""
        if state is RunState.TRAINING and is_trained_here:
            self._ending = self._looked_at = self._found = None
        else:
            end = state, 0 if state.is_active else history.step
            if end != self._looked_at:
                self._looked_at, self._found = end, None
                read_beside(
                    self,
                    partial(Found.of, self._run, manifest),
                    partial(self._take, end, is_trained_here),
                    lambda _: None,
                )
            self._ending = Ending.of(history, state, self._found)
        self._draw()

    def _take(self, end: tuple[RunState, int], is_trained_here: bool, found: Found) -> None:
        if end == self._looked_at and self._ending is not None:
            if is_trained_here:  # its holder is this process
                found = Found(found.ended_s, found.has_checkpoint)
            self._found = found
            self._ending = dataclasses.replace(self._ending, found=found)
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self.set_class(self._ending is None, "-empty")
        width = self.content_size.width
        if self._ending is None or width < 1:
            return
        shown = self._content(self._ending, width)
        if self._shown is None or shown.markup != self._shown.markup:
            self._shown = shown
            self.update(shown)

    def _content(self, ending: Ending, width: int) -> Content:
        body, rows = plan_card(ending, self._clock(), self._keys, width, self._most_lines)
        tone = self.app.theme_variables[STATES[ending.state][1]]
        lines = [Content.styled(body[0], f"bold {tone}"), *map(Content, body[1:])]
        return Content("\n").join([*lines, *map(_row, rows)])


def _row(steps: Sequence[NextStep]) -> Content:
    """Steps with their keys; a click on one does it."""
    return Content(BETWEEN).join(
        Content.assemble((step.key, "bold $text-accent"), f" {step.label}").stylize(
            Style.from_meta({"@click": step.action if "." in step.action else f"screen.{step.action}"})
        )
        for step in steps
    )
