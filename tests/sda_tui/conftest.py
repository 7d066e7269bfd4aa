"""What a key in a test waits for."""

import time

from textual import _wait

from tests.sda_tui.snapshots import home as home
from tests.sda_tui.snapshots import look as look

# After each key Textual's pilot waits until the process is idle, a second at most.  Beside an engine that
# loads or trains it never is.  So wait until the thread that runs the app is.
_wait.process_time = time.thread_time  # type: ignore[attr-defined]
