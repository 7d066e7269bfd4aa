"""`sda-tui export`: files of a model for other machines and programs, and the history of its run."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from core.config import ExportRequest
from core.engine import export
from core.paths import default_root
from core.runs import find_model
from core.text import printable
from sda_tui import format as fmt


def export_command(parsed: Namespace) -> int:
    """Write what is asked for, and print each file with its size.  Raises SdaError, OSError."""
    request = ExportRequest(
        model=find_model(parsed.run, parsed.runs or default_root()),
        checkpoint=parsed.checkpoint,
        kinds=_kinds(parsed.to),
        metrics=parsed.metrics or "",
        steps=parsed.steps,
        out=parsed.out,
        names=parsed.names,
        sounds=not parsed.without_sounds,
        model_licence=parsed.licence,
        sounds_licence=parsed.sounds_licence,
        overwrite=parsed.overwrite,
    )
    written: list[Path] = []
    for path in export(request):
        written.append(path)
        if not parsed.json:
            print(f"{printable(str(path))}  {fmt.size(path.stat().st_size)}", flush=True)
    if parsed.json:
        files = [{"path": str(path), "size_bytes": path.stat().st_size} for path in written]
        sys.stdout.write(json.dumps({"files": files}, indent=1) + "\n")
    return 0


def _kinds(given: list[str]) -> tuple[str, ...]:
    """The kinds of `--to`, each once: they may be given several times, or with commas between them."""
    words = [word.strip() for each in given for word in each.split(",")]
    return tuple(dict.fromkeys(word for word in words if word))
