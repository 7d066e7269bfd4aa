"""`sda-tui generate`, `vary`, `journey` and `morph`: sounds from a trained model, as files."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config import KINDS, GenerateSettings, MakingRequest, OutputSettings, describe_settings
from core.data.report import ScanProgress
from core.engine import open_maker
from core.errors import Cancelled, ConfigError, SourceError
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
    request, output, device = _read_request(parsed)
    made: list[Mapping[str, Any]] = []
    notes: list[str] = []
    is_cancelled = False
    try:
        with progress_bar("making") as (show, cancelled):
            show(ScanProgress("sounds", 0, 0))
            maker = open_maker(
                model,
                parsed.checkpoint,
                parsed.device or device,
                notes.append,
                lambda at: show(ScanProgress(at.unit, at.done, at.total)),
                cancelled,
            )
            made.extend(
                {**each.record, "path": str(each.path.absolute())}
                for each in maker.make(request, output, parsed.out, parsed.overwrite)
            )
    except Cancelled:
        is_cancelled = True
    finally:  # also of sounds before an error
        for note in notes:
            print(f"! {note}", file=sys.stderr)
        if parsed.json and (made or sys.exc_info()[0] is None):
            print(json.dumps({"sounds": made, "notes": notes}, indent=2))
        elif not parsed.json:
            for record in made:
                print(printable(record["path"]))
    print(_summary(made, is_cancelled), file=sys.stderr)
    return INTERRUPTED_STATUS if is_cancelled else 0


def _read_request(parsed: argparse.Namespace) -> tuple[MakingRequest, OutputSettings, str | None]:
    """What is asked for, to make a sound again or with these settings; and the device it was made on."""
    given = vars(parsed)
    again = given.get("again")
    if again is not None:
        known = {**describe_settings(GenerateSettings), **describe_settings(OutputSettings)}
        if changed := [name for name in known if given[name] is not None]:
            raise ConfigError(
                f"--again makes the sound as it was; leave out --{changed[0].replace('_', '-')}."
            )
        return _read_again(expand(again))
    settings, output = (
        kind.parse({name: given[name] for name in describe_settings(kind)})
        for kind in (KINDS[parsed.command], OutputSettings)
    )
    assert isinstance(output, OutputSettings)
    sources, plus, minus = (tuple(given.get(name) or ()) for name in ("sources", "plus", "minus"))
    return MakingRequest(settings, sources, plus, minus), output, None


def _read_again(path: Path) -> tuple[MakingRequest, OutputSettings, str | None]:
    record = find_provenance(path)
    if record is None:
        raise SourceError(
            f"Nothing says how {printable(str(path))} was made; look for provenance.jsonl there."
        )
    device = "cpu" if record.get("device") == "cpu" else None  # a GPU rounds otherwise, and may be another
    return *repeat_request(record), device


def _summary(made: list[Mapping[str, Any]], is_cancelled: bool) -> str:
    end = " Stopped." if is_cancelled else ""
    if is_cancelled and made:
        end = " Stopped; the last is cut short." if made[-1]["cut_short"] else " Stopped; these are complete."
    if not made:
        return f"Nothing was made.{end}"
    seeds = sorted({int(each["seed"]) for each in made})
    what = fmt.count(len(made), "sound")
    return f"{what} in {show_path(Path(made[0]['path']).parent)}, seed {', '.join(map(str, seeds))}.{end}"
