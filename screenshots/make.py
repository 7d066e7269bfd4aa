"""Drives the real app and writes a picture of each screen, at two sizes, beside this file.

python screenshots/make.py [--out FOLDER] [--only NAME …] [--run STOPPED FINISHED]

Without --run two small models are trained first, on the demo sounds: a few minutes.  With it, copies of two
runs that there are already are shown: one that was stopped before its last epoch, and one on the same sounds
that has finished.
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from evolution import write_evolution
from textual import constants
from tour import SIZES, Tour, take_all

from core.data.demo import make_demo_sounds
from core.events import EpochFinished
from core.runs import RunDirectory, read_events
from sda_tui.app import SdaApp
from sda_tui.listen.remembered import Remembered

LOGIN, PORT = "you@box", 41234  # as in docs/listening.md
EPOCHS, STOPPED_AFTER = 40, 30
SETTINGS = {"epochs": EPOCHS, "batch_size": 8, "augmentation_expansion": 5, "preview_interval": 1}
# The plain model begins with nothing, and shows how it learns.
STOPPED = ("convolutional", {**SETTINGS, "model": "convolutional", "latent_dim": 32, "preview_samples": 1})
FINISHED = ("pca-unet", {**SETTINGS, "preview_interval": 5})
CLIP = "string-3.wav"


def train(sounds: Path, runs: Path, name: str, settings: Mapping[str, object], epochs: int) -> RunDirectory:
    """Train a run, and stop it after so many epochs."""
    pairs = [f"--set={key}={value}" for key, value in {**settings, "preview_clip": sounds / CLIP}.items()]
    command = [sys.executable, "-m", "sda_tui", "train", str(sounds), "--preset=aggressive", *pairs]
    run = RunDirectory(runs / name)
    with subprocess.Popen([*command, f"--name={name}", f"--runs={runs}"]) as process:
        while process.poll() is None:
            time.sleep(1)
            if run.events.exists() and count_epochs(run) >= epochs < EPOCHS:
                process.send_signal(signal.SIGINT)
                process.wait()
    return run


def count_epochs(run: RunDirectory) -> int:
    return max((event.epoch for event, _ in read_events(run.events, EpochFinished)), default=0)


def copy(run: Path, sounds: Path, runs: Path) -> RunDirectory:
    """Copy a run, and its sounds if they are not there yet."""
    copied = RunDirectory(runs / run.name)
    shutil.copytree(run, copied.path)
    folder = copied.read_manifest().folder
    own = sounds / Path(folder).name
    if not own.exists():
        shutil.copytree(folder, own)
    text = copied.run_file.read_text(encoding="utf-8")
    copied.run_file.write_text(text.replace(str(folder), str(own)), encoding="utf-8")
    return copied


def name_clip_by_home(run: RunDirectory, home: str) -> None:
    """Have the list of runs name the clip of the previews, of which the run has a copy, as the user would."""
    text = run.run_file.read_text(encoding="utf-8")
    run.run_file.write_text(
        text.replace(f'"preview_clip": "{home}/', '"preview_clip": "~/'), encoding="utf-8"
    )


async def show(stopped: RunDirectory, finished: RunDirectory, out: Path, only: list[str]) -> None:
    app = SdaApp(stopped.path.parent, [Path(stopped.read_manifest().folder)])
    async with app.run_test(size=SIZES[0]) as pilot:
        await take_all(Tour(app, pilot, out, only), stopped, finished)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="pictures to write")
    parser.add_argument("--run", type=Path, nargs=2, metavar=("STOPPED", "FINISHED"), help="runs to show")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    given = [path.absolute() for path in arguments.run or ()]
    with tempfile.TemporaryDirectory() as home:  # pictures should not tell whose machine they are from
        os.environ.update(HOME=home, XDG_CACHE_HOME=f"{home}/.cache", XDG_CONFIG_HOME=f"{home}/.config")
        os.environ.update(XDG_STATE_HOME=f"{home}/.state", XDG_DATA_HOME=f"{home}/.data")
        for name in ("SSH_CONNECTION", "TMUX", "NO_COLOR", "BROWSER"):
            os.environ.pop(name, None)
        constants.COLOR_SYSTEM = "truecolor"  # whatever the terminal that this is started in
        sounds = Path(home, "sounds")
        runs = sounds / "runs"
        runs.mkdir(parents=True)
        os.chdir(sounds)
        Remembered.load().change(login=LOGIN, port=PORT)
        if given:
            stopped, finished = (copy(path, sounds, runs) for path in given)
        else:
            demo = make_demo_sounds(sounds / "demo")
            stopped = train(demo, runs, *STOPPED, STOPPED_AFTER)
            finished = train(demo, runs, *FINISHED, EPOCHS)
        for run in (stopped, finished):
            name_clip_by_home(run, home)
        if not arguments.only or "evolution" in arguments.only:
            write_evolution(stopped, out / "evolution.svg")
        asyncio.run(show(stopped, finished, out, arguments.only))


if __name__ == "__main__":
    main()
