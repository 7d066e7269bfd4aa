"""`sda-tui doctor`: what this machine has, and advice for what it lacks."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from core.paths import default_root
from sda_tui import format as fmt
from sda_tui.checkup import Finding, Verdict, examine
from sda_tui.headless.console import Output
from sda_tui.look import Tone

LOOK = {Verdict.OK: ("✓", Tone.GOOD), Verdict.NOTE: ("!", Tone.NEUTRAL), Verdict.PROBLEM: ("✗", Tone.BAD)}
WORD_WIDTH, NAME_WIDTH = 7, 15
INDENT = " " * (2 + 2 + WORD_WIDTH + 1)


def doctor_command(root: Path | None, as_json: bool) -> int:
    """Print a line for each finding; the exit status is 1 if one is a problem."""
    root = root or default_root()
    console = Output()
    all_findings: list[tuple[str, Finding]] = []
    for group, findings in examine(root):
        all_findings += [(group, each) for each in findings]
        if not as_json:
            console.print(Text(group, style="bold"))
            for each in findings:
                _print(console, each)
    problems, notes = (_count(all_findings, verdict) for verdict in (Verdict.PROBLEM, Verdict.NOTE))
    if as_json:
        document = {
            "problems": problems,
            "notes": notes,
            "findings": [{"group": group, **asdict(each)} for group, each in all_findings],
        }
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        found = fmt.count(problems, "problem") if problems else "No problem"
        console.print(Text(f"{found}, {fmt.count(notes, 'note')}."))
    return 1 if problems else 0


def _count(findings: list[tuple[str, Finding]], verdict: Verdict) -> int:
    return sum(each.verdict is verdict for _, each in findings)


def _print(console: Output, finding: Finding) -> None:
    glyph, tone = LOOK[finding.verdict]
    line = Text(f"  {glyph} {finding.verdict.value:{WORD_WIDTH}} ", style=tone.ansi)
    line.append(f"{finding.name:{NAME_WIDTH}}", style="bold")
    line.append(f" {finding.found}", style="not bold default")
    console.print(line, soft_wrap=True)
    if finding.advice:
        console.print(Text(f"{INDENT}→ {finding.advice}"), soft_wrap=True)
