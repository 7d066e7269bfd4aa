"""The command line: parses the arguments, then imports and runs the command."""

import argparse
import io
import os
import sys
from typing import TYPE_CHECKING

from core.errors import Cancelled, ConfigError, SdaError
from core.text import one_line
from sda_tui.advice import explain
from sda_tui.arguments import WRONG_USAGE, build_parser
from sda_tui.making_arguments import COMMANDS

if TYPE_CHECKING:
    from sda_tui.configuration.reading import Read

DONE, FAILED, CANCELLED = 0, 1, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit status is 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    words = sys.argv[1:] if arguments is None else arguments
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may come next, and waits
        from sda_tui.completion import complete

        complete(*build_parser())
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a file name may have letters that the terminal lacks
    try:
        parsed = _parse(words)
        if parsed.command == "config":
            from sda_tui.headless.config import config_command

            return config_command(only_path=parsed.path, as_json=parsed.json)
        return _run(parsed, _configure(parsed))
    except ConfigError as error:
        return _fail(str(error), WRONG_USAGE)
    except SdaError as error:
        return _fail(explain(error), FAILED)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `sda-tui scan … | head`
            sys.stderr.close()
            return DONE
        from core.text import printable

        where = f"{printable(str(error.filename))}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}; check its permissions and the disk.", FAILED)
    except (Cancelled, KeyboardInterrupt):
        return CANCELLED
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
            raise
        return _fail("There is too little memory to begin; close other programs or raise its limit.", FAILED)


def _open_closed_streams() -> None:
    """Open the standard streams that a parent has closed, or the next files would get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _parse(words: list[str]) -> argparse.Namespace:
    parser, commands = build_parser()
    is_for_parser = words and (words[0] in commands or words[0] in {"-h", "--help", "--version"})
    if words and not is_for_parser and (near := _meant(words[0], commands)):
        parser.error(f"there is no command and no folder '{words[0]}'; did you mean '{near}'?")
    return parser.parse_args(words if is_for_parser else ["open", *words])


def _meant(word: str, commands: set[str]) -> str:
    """The command that was mistyped; empty for what may be a folder, or is like none."""
    if word.startswith("-") or os.path.lexists(word) or "/" in word:
        return ""
    import difflib

    return next(iter(difflib.get_close_matches(word, sorted(commands), n=1, cutoff=0.75)), "")


def _configure(parsed: argparse.Namespace) -> "Read | None":
    """What the configuration file says, if there is one, put where the arguments say nothing.

    The app shows the faults itself.
    """
    from sda_tui.configuration.location import CONFIG_VARIABLE, configuration_path

    path = configuration_path()
    if path is None or not (os.environ.get(CONFIG_VARIABLE) or os.path.lexists(path)):
        return None
    from core.paths import ROOT_VARIABLE
    from sda_tui.configuration.colours import use_colours
    from sda_tui.configuration.reading import read_configuration

    read = read_configuration()
    wanted = read.configuration
    use_colours(wanted.colours)
    if wanted.runs and not os.environ.get(ROOT_VARIABLE):
        os.environ[ROOT_VARIABLE] = os.path.expanduser(wanted.runs)  # noqa: PTH111  (that of Path may raise)
    if parsed.command in ("train", "resume") and parsed.device is None:
        parsed.device = wanted.device or None
    if parsed.command == "train" and parsed.preset is None and wanted.preset != "auto":
        parsed.preset = wanted.preset
    if getattr(parsed, "listen_port", 0) is None:
        parsed.listen_port = wanted.listening.port or None
    if parsed.command == "listen" and parsed.port is None:
        parsed.port = wanted.listening.port or None
    if parsed.command not in ("open", "attach"):
        sys.stderr.write("".join(f"sda-tui: {fault}\n" for fault in read.faults))
    return read


def _run(parsed: argparse.Namespace, configuration: "Read | None") -> int:
    if parsed.command == "open":
        from sda_tui.launch import open_app

        return open_app(
            parsed.sources,
            parsed.runs,
            parsed.demo,
            listen_port=parsed.listen_port,
            configuration=configuration,
        )
    if parsed.command == "attach":
        from core.paths import default_root
        from core.runs import find_live_run, find_run
        from sda_tui.launch import open_app

        root = parsed.runs or default_root()
        run = find_run(parsed.run, root) if parsed.run else find_live_run(root)
        return open_app(
            (), parsed.runs, attached=run, listen_port=parsed.listen_port, configuration=configuration
        )
    if parsed.command == "scan":
        from sda_tui.headless.scan import scan_command

        return scan_command(parsed.sources, as_json=parsed.json)
    if parsed.command == "render":
        from sda_tui.headless.render import render_command

        return render_command(parsed.run, parsed.runs, parsed.inversion, parsed.epoch, parsed.device)
    if parsed.command in COMMANDS:
        from sda_tui.headless.making import making_command

        return making_command(parsed)
    if parsed.command == "export":
        from sda_tui.headless.export import export_command

        return export_command(parsed)
    if parsed.command == "listen":
        from sda_tui.headless.listen import listen_command

        return listen_command(parsed.run, parsed.runs, parsed.port)
    if parsed.command == "runs":
        from sda_tui.headless.runs import LabelChanges, runs_command

        labels = LabelChanges(parsed.star, parsed.note, parsed.rename)
        return runs_command(parsed.runs, parsed.names, labels, as_json=parsed.json)
    if parsed.command == "queue":
        from sda_tui.headless.queue import queue_command
        from sda_tui.headless.signals import StopOnSignal

        with StopOnSignal():
            return queue_command(parsed.action, parsed.names, parsed.runs, parsed.json)
    if parsed.command == "cache":
        from sda_tui.headless.cache import cache_command

        return cache_command(parsed.clear)
    if parsed.command == "doctor":
        from sda_tui.headless.doctor import doctor_command

        return doctor_command(parsed.runs, as_json=parsed.json)
    if parsed.command == "completion":
        from sda_tui.completion import shell_script

        sys.stdout.write(shell_script(parsed.shell))
        return DONE
    if parsed.command in ("train", "resume"):
        from sda_tui.headless.signals import StopOnSignal

        with StopOnSignal():  # from here on: loading takes seconds, and the terminal may be lost meanwhile
            return _train(parsed)
    raise ValueError(f"the command {parsed.command} is not handled")


def _train(parsed: argparse.Namespace) -> int:
    from sda_tui.headless.going_back import GoingBack
    from sda_tui.headless.train import resume_command, train_command

    if parsed.command == "resume":
        return resume_command(
            parsed.run,
            parsed.runs,
            parsed.set,
            parsed.device,
            parsed.folder,
            GoingBack(parsed.checkpoint, parsed.rewind, parsed.name),
            parsed.queue,
        )
    return train_command(
        parsed.sources,
        parsed.runs,
        parsed.set,
        parsed.device,
        parsed.preset,
        parsed.name,
        parsed.seed,
        parsed.start,
        parsed.queue,
    )


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"sda-tui: {one_line(message)}\n")
    return status
