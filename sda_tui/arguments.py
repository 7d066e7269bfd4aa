"""The arguments of every command."""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from core.config import PRESETS
from core.text import one_line
from sda_tui.making_arguments import COMMANDS, MODEL_HELP, add_arguments

WRONG_USAGE = 2

SOURCES_HELP = "a folder of sounds; also several, and single files"
PRESETS_HELP = " ".join(f"{preset.name}: {preset.description}" for preset in PRESETS.values())
DESCRIPTION = """\
Train a generative audio model on a small folder of your own sounds, and hear it get better.

  sda-tui FOLDER        open the app on a folder of sounds
  sda-tui --demo        open it on sounds that it synthesises itself
  sda-tui               open it and choose there
"""

RUN_HELP = "name of a run, or path of its directory or of one of its checkpoints"


class _Version(argparse.Action):
    """Looks the version up only when asked for it: that takes longer than everything else here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        import importlib.metadata

        sys.stdout.write(importlib.metadata.version("sda-tui") + "\n")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong with the arguments in one line, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {one_line(message)}; see `{self.prog} --help`.\n")
        raise SystemExit(WRONG_USAGE)


def build_parser() -> tuple[argparse.ArgumentParser, set[str]]:
    """The parser, and the names of the commands."""
    parser = _Parser(
        prog="sda-tui", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    app = commands.add_parser("open")
    app.add_argument("sources", nargs="*", type=_path, metavar="FOLDER")
    app.add_argument("--demo", action="store_true")
    app.prog = parser.prog

    scan = commands.add_parser("scan", help="the verdict of every file, the split, the suggested preset")
    scan.add_argument("sources", nargs="+", type=_path, metavar="FOLDER", help=SOURCES_HELP)
    scan.add_argument("--json", action="store_true", help="print one JSON document")

    train = commands.add_parser("train", help="train on a folder, with a progress bar")
    train.add_argument("sources", nargs="+", type=_path, metavar="FOLDER", help=SOURCES_HELP)
    train.add_argument("--preset", type=_text, help=f"{PRESETS_HELP} What scan suggests if left out.")
    train.add_argument("--name", type=_text, help="name of the run; made from the folder's if left out")
    train.add_argument("--seed", help="start of all random draws")
    train.add_argument(
        "--from",
        dest="start",
        type=_text,
        metavar="RUN",
        help="start from the model of this run at its best, or from a checkpoint file, instead of a new one",
    )

    resume = commands.add_parser("resume", help="continue a run from its newest checkpoint")
    resume.add_argument("run", type=_text, metavar="RUN", help=RUN_HELP)
    resume.add_argument(
        "--from",
        dest="checkpoint",
        type=_text,
        metavar="WHICH",
        help="go back to best, saved (by hand), a step or a checkpoint file, in a new run",
    )
    resume.add_argument("--rewind", action="store_true", help="go back in this run, not in a new one")
    resume.add_argument("--name", type=_text, help="name of the new run; made from this one's if left out")
    resume.add_argument(
        "--folder", type=_path, metavar="DIR", help="where its sounds are now, if they were moved"
    )

    attach = commands.add_parser("attach", help="the dashboard of a run that another process trains")
    attach.add_argument(
        "run", nargs="?", type=_text, metavar="RUN", help=f"{RUN_HELP}; the newest live one if left out"
    )

    listen = commands.add_parser("listen", help="a page that plays a run's previews on another machine")
    listen.add_argument(
        "run",
        nargs="?",
        type=_text,
        metavar="RUN",
        help=f"{RUN_HELP}; the newest live one, or newest, if left out",
    )
    listen.add_argument("--port", type=_port, metavar="P", help="of the page; the same as last if left out")

    render = commands.add_parser("render", help="the previews of a run again, with another inversion")
    render.add_argument("run", type=_text, metavar="RUN", help=RUN_HELP)
    render.add_argument("--inversion", default="best", metavar="Q", help="fast or best (if left out)")
    render.add_argument("--epoch", metavar="N", help="only those of this epoch")

    export = commands.add_parser("export", help="a model as files that travel, and the history of its run")
    export.add_argument("run", type=_text, metavar="RUN", help=f"{RUN_HELP}, or of a bundle")
    export.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="KIND",
        help="bundle, onnx, torch, nn or card; repeatable",
    )
    export.add_argument("--metrics", type=_text, metavar="FORMAT", help="the run's history: csv or json")
    export.add_argument("--steps", action="store_true", help="with each step in the metrics")
    export.add_argument(
        "--out",
        type=_path,
        metavar="PATH",
        help="a folder, or a file for one; the current folder if left out",
    )
    export.add_argument(
        "--checkpoint",
        type=_text,
        metavar="WHICH",
        help="best (if left out), newest, saved, a step or a file",
    )
    export.add_argument("--names", action="store_true", help="name the sound files in bundle and card")
    export.add_argument("--without-sounds", action="store_true", help="leave kept training sounds out")
    export.add_argument("--licence", default="", metavar="TEXT", help="of the model: CC-BY-4.0, for example")
    export.add_argument("--sounds-licence", default="", metavar="TEXT", help="of the training sounds")
    export.add_argument("--overwrite", action="store_true", help="replace files that are there")
    export.add_argument("--json", action="store_true", help="print one JSON document")

    runs = commands.add_parser("runs", help="every run with its state; stars, notes and other names")
    runs.add_argument("names", nargs="*", type=_text, metavar="RUN", help=f"{RUN_HELP}; all if left out")
    runs.add_argument("--star", action=argparse.BooleanOptionalAction, help="mark these runs, or not")
    runs.add_argument("--note", metavar="TEXT", help="a note on them; an empty one removes it")
    runs.add_argument("--rename", type=_text, metavar="NAME", help="another name for the one run")
    runs.add_argument("--json", action="store_true", help="print one JSON document")

    queue = commands.add_parser("queue", help="runs that wait for their turn; `queue run` trains them")
    queue.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=("list", "run", "remove"),
        metavar="ACTION",
        help="list (if left out), run: train them one after another, or remove RUN …",
    )
    queue.add_argument("names", nargs="*", type=_text, metavar="RUN", help="of remove")
    queue.add_argument("--json", action="store_true", help="print one JSON document")

    making = [commands.add_parser(name, help=about) for name, about in COMMANDS.items()]
    for name, command in zip(COMMANDS, making, strict=True):
        command.add_argument("run", type=_text, metavar="RUN", help=MODEL_HELP)
        add_arguments(command, name)
        which_help = "best (if left out), newest, a step or a file"
        command.add_argument("--checkpoint", type=_text, default="best", metavar="WHICH", help=which_help)
        command.add_argument(
            "--out", type=_path, metavar="PATH", help="a folder, or a file for a single sound"
        )

    config = commands.add_parser("config", help="the configuration file: where it is, and what it may hold")
    config.add_argument("--path", action="store_true", help="print its path and nothing else")
    config.add_argument("--json", action="store_true", help="print one JSON document")

    doctor = commands.add_parser("doctor", help="what this machine has, and advice for what it lacks")
    doctor.add_argument("--json", action="store_true", help="print one JSON document")

    completion = commands.add_parser("completion", help="a script by which a shell completes command lines")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")

    cache = commands.add_parser("cache", help="where decoded sounds are kept for the next start")
    cache.add_argument("--clear", action="store_true", help="delete them")

    for command in (train, resume):
        command.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable"
        )
        command.add_argument(
            "--queue", action="store_true", help="do not begin now: wait for its turn in the queue"
        )
    for command in (train, resume, render, *making):
        command.add_argument(
            "--device", type=_text, help="cuda, cuda:1, mps or cpu; the best there is if left out"
        )
    for command in (app, attach):
        command.add_argument("--listen-port", type=_port, metavar="P", help="of the listener page")
    for command in (app, train, resume, attach, listen, render, export, *making, runs, queue, doctor):
        command.add_argument(
            "--runs", type=_path, metavar="DIR", help="where runs are kept ($SDA_RUNS, else ./runs)"
        )
    return parser, set(commands.choices) - {"open"}


def _text(given: str) -> str:
    """An argument that says something: an empty one is mostly a variable that is not set."""
    if not given.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return given


def _port(given: str) -> int:
    if not given.isdecimal() or not 0 < int(given[:9]) < 1 << 16:
        raise argparse.ArgumentTypeError(f"'{given}' is no port; it is a number from 1 to 65535")
    return int(given)


def _path(given: str) -> Path:
    return Path(_text(given))
