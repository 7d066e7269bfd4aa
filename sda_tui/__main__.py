"""`python -m sda_tui`."""

import sys

from sda_tui.cli import main

sys.exit(main())
