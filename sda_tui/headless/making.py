"""`sda-tui generate`, `vary`, `journey` and `morph`: sounds from a trained model, as files."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config import KINDS, MakingRequest, OutputSettings, describe_settings
from core.data.report import ScanProgress
from core.engine import open_maker
from core.errors import Cancelled, SourceError
from core.paths import default_root, expand
from core.runs import find_model, find_provenance, repeat_request
from core.text import printable
from sda_tui import format as fmt
from sda_tui.headless.scan import progress_bar
from sda_tui.headless.signals import INTERRUPTED_STATUS
from sda_tui.look import show_path


def making_command(parsed: argparse.Namespace) -> int:
    """Make the sounds that the parsed arguments of such a command ask for.  Raises SdaError, OSError."""
    model = find_model(parsed.run, parsed.runs or default_root())
    request, output = _read_request(parsed)
    made: list[Mapping[str, Any]] = []
    notes: list[str] = []
    folder = None
    is_cancelled = False
    try:
        with progress_bar("making") as (show, cancelled):
            maker = open_maker(
                model,
                parsed.checkpoint,
                parsed.device,
                notes.append,
                lambda at: show(ScanProgress(at.unit, at.done, at.total)),
                cancelled,
            )
            for each in maker.make(request, output, parsed.out, parsed.overwrite):
                folder = each.path.parent
                made.append({**each.record, "path": str(each.path.absolute())})
    except Cancelled:
        is_cancelled = True
    if parsed.json:
        print(json.dumps({"sounds": made, "notes": notes}, indent=2))
    else:
        for record in made:
            print(printable(record["path"]))
    for note in notes:
        print(f"! {note}", file=sys.stderr)
    print(_summary(made, folder, is_cancelled), file=sys.stderr)
    return INTERRUPTED_STATUS if is_cancelled else 0


def _read_request(parsed: argparse.Namespace) -> tuple[MakingRequest, OutputSettings]:
    """What is asked for: to make a sound again, or with these settings."""
    given = vars(parsed)
    again = given.get("again")
    if again is not None:
        return _read_again(expand(again))
    settings, output = (
        kind.parse({name: given[name] for name in describe_settings(kind)})
        for kind in (KINDS[parsed.command], OutputSettings)
    )
    assert isinstance(output, OutputSettings)
    sources, plus, minus = (tuple(given.get(name) or ()) for name in ("sources", "plus", "minus"))
    return MakingRequest(settings, sources, plus, minus), output


def _read_again(path: Path) -> tuple[MakingRequest, OutputSettings]:
    record = find_provenance(path)
    if record is None:
        raise SourceError(
            f"Nothing says how {printable(str(path))} was made; look for provenance.jsonl there."
        )
    return repeat_request(record)


def _summary(made: list[Mapping[str, Any]], folder: Path | None, is_cancelled: bool) -> str:
    end = " Stopped; these are complete." if is_cancelled and made else " Stopped." if is_cancelled else ""
    if folder is None:
        return f"Nothing was made.{end}"
    seeds = sorted({int(each["seed"]) for each in made})
    what = fmt.count(len(made), "sound")
    return f"{what} in {show_path(folder)}, seed {', '.join(map(str, seeds))}.{end}"
