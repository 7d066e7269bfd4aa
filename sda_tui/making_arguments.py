"""The command line of the commands that make sounds from a model."""

import argparse
from pathlib import Path

from core.config import KINDS, OutputSettings, describe_settings

COMMANDS = {
    "generate": "new sounds from a trained model",
    "vary": "variations of sounds: more like this",
    "journey": "a way from sound to sound, or a drift among the run's own",
    "morph": "sounds of your own, of any length, through the model",
}
MODEL_HELP = "name of a run, path of its directory or of a checkpoint, or an exported bundle"
SOUND_HELP = "a file, or #N, a training sound by its number"


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """The arguments of one of COMMANDS after RUN: sounds, and an option for each of its settings."""
    if name == "generate":
        parser.add_argument(
            "--again", type=Path, metavar="FILE", help="make a sound again, as provenance.jsonl says"
        )
    else:
        count = "*" if name == "journey" else "+"
        about = "a file of any length" if name == "morph" else SOUND_HELP
        parser.add_argument("sources", nargs=count, metavar="SOUND", help=about)
    if name == "morph":
        for option, what in (("--plus", "add"), ("--minus", "take away")):
            parser.add_argument(
                option,
                action="append",
                metavar="SOUND",
                help=f"{what} what is typical of a sound; repeatable",
            )
    for settings in (KINDS[name], OutputSettings):
        for field, each in describe_settings(settings).items():
            about = f"{each.help} [{each.range}; {each.show(each.default)} if left out]"
            option = f"--{field.replace('_', '-')}"
            parser.add_argument(option, dest=field, metavar=field[0].upper(), help=about.replace("%", "%%"))
    parser.add_argument("--overwrite", action="store_true", help="replace files of the same names")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
