"""The previews of a run that the user starred: `previews.json` in its directory."""

import json
import threading

from core.atomic import write_atomically
from core.errors import RunError
from core.files import read_bounded
from core.records import parse_json, read_list, read_mapping, read_text
from core.runs.directory import RunDirectory

FORMAT_VERSION = 1
LARGEST_BYTES = 4 << 20
MOST_STARS = 10_000
_writing = threading.Lock()  # a change is read, made and written as one within this process


def read_stars(run: RunDirectory) -> frozenset[str]:
    """The paths, as in PreviewReady, of the starred previews.  Raises RunError if the file is damaged."""
    try:
        record = read_mapping(parse_json(read_bounded(run.preview_stars, LARGEST_BYTES, is_run=True)))
        if record.get("format_version") != FORMAT_VERSION:
            raise ValueError("it is of another version")
        return frozenset(map(read_text, read_list(record.get("starred"))[:MOST_STARS]))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(
            f"The stars in {run.preview_stars.name} cannot be read ({reason}); the next star replaces them."
        ) from error


def star_preview(run: RunDirectory, path: str, is_starred: bool) -> frozenset[str]:
    """Star a preview, or take its star away; all that are starred then.

    A damaged file counts as one without stars.  Raises RunError if it cannot be written.
    """
    with _writing:
        try:
            stars = read_stars(run)
        except RunError:
            stars = frozenset()
        stars = stars | {path} if is_starred else stars - {path}
        record = {"format_version": FORMAT_VERSION, "starred": sorted(stars)}
        try:
            write_atomically(run.preview_stars, json.dumps(record, indent=1).encode("ascii"), is_run=True)
        except OSError as error:
            raise RunError(
                f"The star cannot be kept in {run.preview_stars.name} ({error.strerror})."
            ) from error
    return stars
