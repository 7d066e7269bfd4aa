"""What a machine has that this program needs, and advice for what is missing."""

from sda_tui.checkup.finding import Finding, Verdict
from sda_tui.checkup.groups import GROUPS, examine

__all__ = ["GROUPS", "Finding", "Verdict", "examine"]
