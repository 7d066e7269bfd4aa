"""`sda-tui cache`: the decoded sounds that make a second start fast."""

from rich.text import Text

from core.data.cache import LIMIT_BYTES, cache_root, cache_size, trim_cache
from core.text import printable
from sda_tui import format as fmt
from sda_tui.headless.console import Output


def cache_command(clear: bool) -> int:
    """Tell how large the cache is, or empty it."""
    before = cache_size()
    where = printable(str(cache_root()))
    if clear:
        trim_cache(0)
        told = f"Deleted {fmt.size(before - cache_size())} of decoded sounds from {where}."
    else:
        told = (
            f"{fmt.size(before)} of decoded sounds in {where}, at most {fmt.size(LIMIT_BYTES)}. "
            "They make the next start fast; `sda-tui cache --clear` deletes them."
        )
    Output().print(Text(told))
    return 0
