"""`sda-tui cache`: the decoded sounds that make a second start fast."""

from core.engine import cache_status, clear_cache
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import command
from sda_tui.headless.console import Output, print_line


def cache_command(clear: bool) -> int:
    """Print how large the cache is, or delete it."""
    cache = cache_status()
    where, limit = printable(str(cache.path)), fmt.size(cache.limit_bytes)
    if clear:
        message = f"Deleted {fmt.size(clear_cache())} of decoded sounds from {where}."
    else:
        message = (
            f"{fmt.size(cache.size_bytes)} of decoded sounds in {where}, at most {limit}. "
            f"They make the next start fast; {command('cache', '--clear')} deletes them."
        )
    print_line(Output(), message)
    return 0
