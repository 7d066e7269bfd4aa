"""What a key in a test waits for, and styles that are parsed once."""

import time

from textual import _wait
from textual.css.model import RuleSet
from textual.css.stylesheet import CSSLocation, Stylesheet

from tests.sda_tui.snapshots import home as home
from tests.sda_tui.snapshots import look as look

# After each key Textual's pilot waits until the process is idle, a second at most.  Beside an engine that
# loads or trains it never is.  So wait until the thread that runs the app is.
_wait.process_time = time.thread_time  # type: ignore[attr-defined]

# Each start of the app parses the same styles, and for each widget looks up every rule by a hash that is
# written in Python and is the same as that of any object: a third of the start, which these tests do hundreds
# of times.
RuleSet.__hash__ = object.__hash__  # type: ignore[method-assign]

_parsed: dict[tuple[object, ...], list[RuleSet]] = {}
_parse_rules = Stylesheet._parse_rules


def _parse_once(
    self: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    variables = frozenset(self._variables.items())
    key = (css, read_from, is_default_rules, tie_breaker, scope, variables)
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, css, read_from, is_default_rules, tie_breaker, scope)
    return _parsed[key]


Stylesheet._parse_rules = _parse_once  # type: ignore[method-assign]
