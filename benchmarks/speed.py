"""How fast it is, as ratios inside one run: only those say something on a shared machine.

    python benchmarks/speed.py [PART …]

Parts; without any, all of them:
  first   time to the first paint, in a terminal of 120 x 36, relative to that of an empty Textual app; and
          `sda-tui --help` relative to `python -c pass`
  step    training steps a second, headless, relative to those of the bare step: the same network, forward,
          backward, clipping and optimiser on one batch that is there already; one of each in turn, on 50
          files of 5 s with batches of 32, with the preset's augmentation and without
  start   scan and decode of 500 stereo files of 5 s at 44.1 kHz, the first time and the second, in a cache of
          its own; and the scan of 5 000 files of 0.5 s, by the file, relative to that of 500 such
"""

import argparse
import contextlib
import copy
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

from core.config import SettingValue, find_preset
from core.data import cache
from core.data.report import ScanReport
from core.data.scan import scan
from core.data.store import SampleArena, load_sounds
from core.errors import Cancelled
from core.events import RunEvent, StepFinished
from core.model.losses import gaussian_kl, losses
from core.run import EventLog, RunDirectory, RunManifest
from core.training.control import Control
from core.training.job import RunReporter
from core.training.optimizer import Optimizer
from core.training.trainer import Trainer
from core.training.workbench import Workbench, prepare

HERE = Path(__file__).parent.parent
SAMPLE_RATE = 48_000
ROUNDS = 7
PATIENCE_S = 60.0
STEPS, WARM_UP = 40, 5
WITHOUT_AUGMENTATION: dict[str, SettingValue] = {
    "augmentation_strength": 0.0, "random_crop_probability": 0.0, "augmentation_expansion": 40,
}  # fmt: skip
CPU = torch.device("cpu")


def tell(what: str, value: float, bound: str, is_met: bool) -> None:
    print(f"| {what} | {value:.2f} | {bound} | {'yes' if is_met else 'NO'} |", flush=True)


def seconds(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


# -- first ------------------------------------------------------------------------------------------------

EMPTY_APP = """
from textual.app import App
from textual.widgets import Label
class Empty(App):
    def compose(self):
        yield Label("painted")
Empty().run()
"""


def first() -> None:
    python = [sys.executable, "-c"]
    ours, empty = shortest(
        lambda: first_paint([sys.executable, "-m", "sda_tui"], b"sda-tui"),
        lambda: first_paint([*python, EMPTY_APP], b"painted"),
    )
    tell("(d) first paint relative to an empty Textual app's", ours / empty, "<= 1.3", ours / empty <= 1.3)
    told, nothing = shortest(
        lambda: seconds(lambda: finish([sys.executable, "-m", "sda_tui", "--help"])),
        lambda: seconds(lambda: finish([*python, "pass"])),
    )
    is_met = told <= max(0.15, 1.5 * nothing)
    tell(f"(d) `--help` relative to `python -c pass`; {told:.3f} s", told / nothing, "0.15 s or 1.5", is_met)


def shortest(*works: Callable[[], float]) -> list[float]:
    """The shortest time of each, taken in turn."""
    rounds = [[work() for work in works] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def finish(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def first_paint(command: list[str], text: bytes) -> float:
    """Seconds until the program has written this text to its terminal."""
    with tempfile.TemporaryDirectory() as folder:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(HERE), "HOME": folder}
        started_s = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        written = b""
        while text not in written:
            if not select.select([master], [], [], PATIENCE_S)[0]:
                raise SystemExit(f"{command} did not paint {text!r}")
            written += os.read(master, 65_536)
        taken_s = time.perf_counter() - started_s
        os.killpg(process.pid, signal.SIGKILL)  # the app has a child that shows it
        process.wait()
        os.close(master)
    return taken_s


# -- step -------------------------------------------------------------------------------------------------


def step() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_files(Path(scratch) / "sounds", 50, 5.0)
        report = scan_folder(folder)
        for what, settings, least in (
            ("augmented", {}, 0.90), ("unaltered", WITHOUT_AUGMENTATION, 0.97),
        ):  # fmt: skip
            config = find_preset("balanced").config().with_settings({"epochs": 1, **settings})
            manifest = RunManifest.from_scan(report, "balanced", config)
            run = RunDirectory.create(Path(scratch), what, manifest)
            rate = relative_rate(run, manifest)
            tell(
                f"(a) steps a second relative to the bare step's, {what}", rate, f">= {least}", rate >= least
            )


def relative_rate(run: RunDirectory, manifest: RunManifest) -> float:
    """Steps a second of a run relative to those of its bare step."""
    control = Control(run.requests)
    bench = prepare(run, manifest, CPU, lambda: False, lambda _: None)
    bare = BareStep(bench, manifest)
    ours_s: list[float] = []
    bare_s: list[float] = []
    began_s = time.perf_counter()

    def alternate(event: RunEvent) -> None:
        nonlocal began_s
        if isinstance(event, StepFinished):
            ours_s.append(time.perf_counter() - began_s)
            bare_s.append(seconds(bare.take))
            if len(ours_s) == STEPS:
                control.cancel()
        began_s = time.perf_counter()

    with contextlib.closing(EventLog(run.events)) as log, contextlib.suppress(Cancelled):
        trainer = Trainer(run, manifest, bench, control, RunReporter(log, alternate))
        try:
            trainer.train()
        finally:
            trainer.close()
    return statistics.median(bare_s[WARM_UP:]) / statistics.median(ours_s[WARM_UP:])


class BareStep:
    """What no training can do without, on the first batch of a run."""

    def __init__(self, bench: Workbench, manifest: RunManifest) -> None:
        assert manifest.config.batch_size is not None
        self._clip_norm = manifest.config.gradient_clip_norm
        self._model = copy.deepcopy(bench.model).train()
        self._optimizer = Optimizer(self._model.parameter_groups(), manifest.config.weight_decay)
        self._log_mel = bench.batches.batch(0, manifest.config.batch_size)
        self._noise = torch.randn(manifest.config.batch_size, manifest.config.latent_dim)

    def take(self) -> None:
        self._optimizer.zero_grad()
        output = self._model(self._log_mel, self._noise)
        kl = gaussian_kl(output.mean, output.log_variance)
        squared_error = (output.reconstruction - self._log_mel).square().mean()
        losses("calibrated", squared_error, kl, self._log_mel[0].numel(), 1.0, 0.5).total.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        self._optimizer.step(1e-4)


# -- start ------------------------------------------------------------------------------------------------


def start() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_files(Path(scratch) / "500", 500, 5.0)
        short = {count: write_files(Path(scratch) / f"short {count}", count, 0.5) for count in (500, 5000)}
        time.sleep(1.5 * cache.SETTLED_NS / 1e9)  # files as young as that are not trusted to stay as they are
        first_s, second_s = (seconds(lambda: scan_and_decode(folder)) for _ in range(2))
        rates = {count: count / seconds(lambda of=short[count]: scan_folder(of)) for count in short}
    speedup, rate = first_s / second_s, rates[5000] / rates[500]
    tell("(f) first start relative to the second, 500 files", speedup, ">= 10", speedup >= 10)
    tell("(f) files scanned a second, 5 000 relative to 500", rate, ">= 1", rate >= 1)


def write_files(folder: Path, count: int, duration_s: float) -> Path:
    """Stereo noise at 44.1 kHz, all different."""
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, (round(duration_s * 44_100) + count, 2))
    for index in range(count):
        soundfile.write(folder / f"{index:04}.wav", noise[index : len(noise) - count + index], 44_100)
    return folder


def scan_folder(folder: Path) -> ScanReport:
    *_, report = scan(folder, 1.0)
    assert isinstance(report, ScanReport)
    return report


def scan_and_decode(folder: Path) -> None:
    split = scan_folder(folder).split
    arena = SampleArena()
    load_sounds(folder, split, SAMPLE_RATE, SAMPLE_RATE, CPU, arena, lambda: False, lambda *_: None)


PARTS: dict[str, Callable[[], None]] = {"first": first, "step": step, "start": start}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; known are {', '.join(PARTS)}")
    print("| measure | ratio | bound | met |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SDA_CACHE"] = folder  # not the user's
        for part in arguments.parts or PARTS:
            PARTS[part]()


if __name__ == "__main__":
    main()
