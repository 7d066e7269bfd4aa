"""The list of runs as a screen: read, filtered, sorted and marked.  What is done with runs is in `runs`."""

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from rich.text import Text
from textual import on
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Label, Static

from core.events import RunState
from core.runs import RunSummary
from sda_tui import format as fmt
from sda_tui.background import FOLLOW_INTERVAL_S, read_beside
from sda_tui.session import Session
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.run_table import RunTable

DELIVERY_INTERVAL_S = 0.3  # rows are shown as they are read, not each by itself
DELIVERY_GROWTH = 1.3  # and the more there are, the more must be new: each time all are looked at
FILTER_DELAY_S = 0.1  # after the last key


class RunListScreen(LeftOnce, UntilLeft, Screen[None]):
    """What the list of runs shows.  A screen made from it composes a RunTable, a filter and a summary."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.session = session
        self._clock = clock  # seconds since 1970, which the age of a run is relative to
        self._reading = 0  # number of the newest reading: an earlier one is not shown any more
        self.has_read = False
        self._is_following = False
        self._filter_timer: Timer | None = None

    def on_mount(self) -> None:
        self.table.focus()
        self.set_interval(FOLLOW_INTERVAL_S, self._follow)

    @abstractmethod
    def show_chosen(self) -> None:
        """Show what there is to say of the run under the cursor."""

    @abstractmethod
    def show_progress(self) -> None:
        """Show what may have changed of the run under the cursor, and leave alone what is being typed."""

    def refuse(self, problem: str) -> None:
        """Show why something cannot be done; what is being typed stays."""
        self.show_progress()
        self.notify(problem, title="This cannot be done", severity="error", timeout=10)

    def on_screen_resume(self) -> None:
        self.action_reload()

    @property
    def table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def is_ready(self) -> bool:
        """Whether the list was read and has something in it."""
        return self.has_read and bool(self.table.summaries)

    # -- reading ----------------------------------------------------------------------------------------

    def action_reload(self) -> None:
        """Read the list again, on a thread: the size of a run is the sum over all of its files."""
        self._reading += 1
        read_beside(self, partial(self._read, self._reading), self._finish, self._show_problem)

    def _follow(self) -> None:
        """Read the list again while a run trains or waits; the cursor and what is being typed stay."""
        may_change = any(each.state.is_active or each.queue_place for each in self.table.summaries)
        if self.is_active and self.has_read and may_change and not self._is_following:
            self._is_following = True
            read_beside(self, partial(self._read, self._reading), self._show_followed, self._end_following)

    def _show_followed(self, read: tuple[int, list[RunSummary]]) -> None:
        self._is_following = False
        if read[0] == self._reading:  # else it is being read anew
            self._show(*read)
            self.show_progress()

    def _end_following(self, problem: str) -> None:
        self._is_following = False
        self._show_problem(problem)

    def _read(self, number: int) -> tuple[int, list[RunSummary]]:
        """On a thread: all runs; a first reading delivers those that it has now and then."""
        found: list[RunSummary] = []
        delivered, delivered_s = 0, time.monotonic()
        for summary in self.session.summaries.read():
            found.append(summary)
            _ = summary.changed_settings  # found here, and kept, not when the row is drawn
            is_due = len(found) > DELIVERY_GROWTH * delivered
            if is_due and not self.has_read and time.monotonic() - delivered_s > DELIVERY_INTERVAL_S:
                delivered, delivered_s = len(found), time.monotonic()
                self.call_later(self._show, number, list(found))
        return number, found

    def _show_problem(self, problem: str) -> None:
        self.query_one("#run-summary", Static).update(Text(f"✗ {problem}"))

    def _finish(self, read: tuple[int, list[RunSummary]]) -> None:
        if read[0] == self._reading:
            self.has_read = True
            self._show(*read)
            self.show_chosen()

    def _show(self, number: int, summaries: Sequence[RunSummary]) -> None:
        if number == self._reading:
            self.table.show(map(self._as_here, summaries), self._clock())
            self.show_count()

    def _as_here(self, summary: RunSummary) -> RunSummary:
        """A run that was just continued here has no lock yet, and its log says how it ended before."""
        if self.session.is_waiting(summary.run):
            return replace(summary, state=RunState.LOADING, holder_pid=os.getpid())
        return summary

    def show_count(self) -> None:
        """How many runs are shown and marked, and what is wrong with the queue or who works through it."""
        table = self.table
        total = fmt.count(len(table.summaries), "run")
        parts = [f"{table.row_count} of {total}" if table.words else total]
        if marked := len(table.marked):
            parts.append(f"{marked} marked")
        waiting = sum(1 for each in table.summaries if each.queue_place)
        if waiting:
            parts.append(f"{waiting} queued{', worked through here' if self.session.works_queue else ''}")
        self.query_one("#run-count", Label).update(Text(" · ".join(parts)))

    def action_filter(self) -> None:
        self.query_one("#filter", Input).focus()

    @on(Input.Changed, "#filter")
    def filter_runs(self, event: Input.Changed) -> None:
        if self._filter_timer is not None:
            self._filter_timer.stop()
        self._filter_timer = self.set_timer(FILTER_DELAY_S, partial(self._filter, event.value))

    def _filter(self, words: str) -> None:
        self.table.words = words
        self.show_count()

    @on(Input.Submitted, "#filter")
    def leave_filter(self) -> None:
        self.table.focus()

    def action_order(self) -> None:
        self.table.sort_by_next()

    def action_reverse(self) -> None:
        self.table.is_reversed = not self.table.is_reversed

    def action_mark(self) -> None:
        """Mark the chosen run, to be compared or deleted with others, and go to the next."""
        if (summary := self.table.chosen) is not None:
            self.table.toggle_mark(summary.name)
            self.table.action_cursor_down()
            self.show_count()

    def do(self, change: Callable[[], object]) -> None:
        """Change something on disk, on a thread, and read the list again."""
        read_beside(self, change, lambda _: self.action_reload(), self.refuse)

    def action_back(self) -> None:
        """Clear the filter, else leave."""
        written = self.query_one("#filter", Input)
        if written.value or written.has_focus:
            written.value = ""
            self.table.focus()
        else:
            self.dismiss()
