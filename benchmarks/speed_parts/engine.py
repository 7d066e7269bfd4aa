"""The engine without a screen: (a) its steps beside bare ones, (b) beside the usual way, (g) what previews
and checkpoints cost, (h) what more files do."""

import contextlib
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import psutil
import soundfile
import soxr
import torch
from torch import Tensor

from core.audio.augmentation import GAIN_DB, PITCH_SEMITONES, SPEED_FRACTION
from core.audio.reader import Samples
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SettingValue, find_preset
from core.data.report import ScanReport
from core.device import has_bfloat16
from core.errors import Cancelled
from core.events import RunEvent, StepFinished
from core.model.losses import gaussian_kl, losses
from core.optim.optimizer import Optimizer
from core.runs import EventLog, RunDirectory, RunManifest
from core.training.control import Control
from core.training.reporter import RunReporter
from core.training.task import SetupContext
from core.training.trainer import Trainer
from core.training.vae_task import VaeTask
from speed_parts.sounds import scan_folder, write_files
from speed_parts.start import print_start
from speed_parts.table import at_least, at_most, in_turn, medians, print_row, seconds

BATCH = 32
STARTS, STEPS = 3, 50
IN_TURN = 10  # steps; the first so many warm up
UNTIL_MADE_S = 0.2  # more than the next batch takes
USUAL_EPOCHS, LARGEST_USUAL_EPOCH = 3, 16  # the latter in steps
WORKERS = 2
EXTRAS = 9  # of each kind
COUNTS = 5, 50, 500, 5000  # of files
WITHOUT_AUGMENTATION: dict[str, SettingValue] = {
    "augmentation_strength": 0.0, "random_crop_probability": 0.0, "augmentation_expansion": 40,
}  # fmt: skip
PLAIN: dict[str, SettingValue] = {"model": "convolutional"}
CPU = torch.device("cpu")


@dataclass
class Engine:
    """A run on a folder, ready for its first step.  `on_event` is called with every event."""

    folder: Path
    report: ScanReport
    settings: dict[str, SettingValue] = field(default_factory=dict)
    device: torch.device = CPU

    def __enter__(self) -> "Engine":
        self._scratch = tempfile.TemporaryDirectory()
        config = find_preset("balanced").config().with_settings({"batch_size": BATCH, **self.settings})
        self.manifest = RunManifest.from_scan(self.report, "balanced", config)
        run = RunDirectory.create(Path(self._scratch.name), "run", self.manifest)
        self.control = Control(run.requests)
        context = SetupContext(run, self.manifest, self.device, True, lambda: False, lambda _: None)
        self.task = VaeTask.set_up(context)
        self._log = EventLog(run.events)
        self.on_event: Any = lambda _: None
        reporter = RunReporter(self._log, lambda event: self.on_event(event))
        self.trainer = Trainer(run, self.manifest, self.task, self.control, reporter)
        return self

    def batch(self) -> Tensor:
        """The log-mel spectrograms of the first step."""
        return self.task.batch(0, BATCH)[0]

    def __exit__(self, *_: object) -> None:
        self.trainer.close()
        self._log.close()
        self._scratch.cleanup()


class BareStep:
    """What no training can do without, on one batch."""

    def __init__(self, engine: Engine) -> None:
        config, self._device = engine.manifest.config, engine.device
        self._clip_norm = config.gradient_clip_norm
        self._model = copy.deepcopy(engine.task.model).train()
        self._optimizer = Optimizer(self._model.parameter_groups(), config.weight_decay)
        self._latents = config.latent_dim
        self._rate, self._is_good = (torch.tensor(each, device=self._device) for each in (1e-4, True))
        self._autocast = torch.autocast(self._device.type, torch.bfloat16, enabled=has_bfloat16(self._device))

    def take(self, log_mel: Tensor) -> Tensor:
        self._optimizer.zero_grad()
        with self._autocast:
            noise = torch.randn(len(log_mel), self._latents, device=self._device)
            output = self._model(log_mel, noise)
        kl = gaussian_kl(output.mean, output.log_variance)
        squared_error = (output.reconstruction - log_mel).square().mean()
        loss = losses("calibrated", squared_error, kl, log_mel[0].numel(), 1.0, 0.5).total
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        self._optimizer.step(self._rate, self._is_good)
        return loss


@contextlib.contextmanager
def sounds(count: int, duration_s: float) -> Iterator[tuple[Path, ScanReport]]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_files(Path(scratch) / "sounds", count, duration_s)
        yield folder, scan_folder(folder)


# -- (a) --------------------------------------------------------------------------------------------------


def step() -> None:
    with sounds(50, 5.0) as (folder, report):
        for what, settings, least in (
            ("augmented", {}, 0.90), ("unaltered", WITHOUT_AUGMENTATION, 0.97),
        ):  # fmt: skip
            ratio = relative_to_bare(folder, report, settings, STARTS)
            at_least(f"(a) steps a second relative to the bare step's, {what}", ratio, least)


def relative_to_bare(
    folder: Path, report: ScanReport, settings: dict[str, SettingValue], starts: int
) -> float:
    ours_s: list[float] = []
    bare_s: list[float] = []
    for _ in range(starts):
        with Engine(folder, report, settings) as engine:
            ours, others = alternate(engine, partial(BareStep(engine).take, engine.batch()))
            ours_s += ours
            bare_s += others
    return statistics.median(bare_s) / statistics.median(ours_s)


def alternate(engine: Engine, other: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Seconds of each step of the engine, all between two steps counted, and of what is done in turn.

    Several of each at a time: where a batch is not there when its step is due, ours waits, not the other.
    """
    ours_s: list[float] = []
    other_s: list[float] = []
    began_s = time.perf_counter()

    def collect(event: RunEvent) -> None:
        nonlocal began_s
        if isinstance(event, StepFinished):
            ours_s.append(time.perf_counter() - began_s)
            if len(ours_s) % IN_TURN == 0:
                time.sleep(UNTIL_MADE_S)
                other_s.extend(seconds(other) for _ in range(IN_TURN))
            if len(ours_s) == STEPS:
                engine.control.cancel()
        began_s = time.perf_counter()

    engine.on_event = collect
    with contextlib.suppress(Cancelled):
        engine.trainer.train()
    return ours_s[IN_TURN:], other_s[IN_TURN:]


# -- (b) --------------------------------------------------------------------------------------------------


class UsualDataset(torch.utils.data.Dataset[Tensor]):
    """A file is decoded whenever one of its chunks is wanted, and every chunk is augmented by itself."""

    def __init__(self, folder: Path, report: ScanReport, augments: bool) -> None:
        self._chunks = [
            (folder / part.path, start) for part in report.split.train for start in part.chunk_starts_s
        ]
        config = find_preset("balanced").config()
        self._config = config
        self._augments = augments
        self._to_mel = LogMelSpectrogram(RunManifest.from_scan(report, "balanced", config).spectrogram)
        self._sample_rate = 48_000

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> Tensor:
        path, start_s = self._chunks[index]
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        waveform = soxr.resample(samples.mean(1), sample_rate, self._sample_rate)
        first = round(start_s * self._sample_rate)
        chunk = waveform[first : first + self._sample_rate]
        if self._augments:
            chunk = self._augmented(chunk)[: self._sample_rate]
        chunk = np.pad(chunk, (0, self._sample_rate - len(chunk)))
        log_mel: Tensor = self._to_mel(torch.from_numpy(chunk)[None])[0]
        return log_mel

    def _augmented(self, chunk: Samples) -> Samples:
        """What the preset asks for and takes the most time, with what tutorials use."""
        draws, config = np.random.default_rng(), self._config
        if draws.random() < config.pitch_shift_probability:
            semitones = draws.uniform(-PITCH_SEMITONES, PITCH_SEMITONES)
            chunk = librosa.effects.pitch_shift(chunk, sr=self._sample_rate, n_steps=semitones)
        if draws.random() < config.speed_probability:
            speed = 1 + draws.uniform(-SPEED_FRACTION, SPEED_FRACTION)
            chunk = soxr.resample(chunk, self._sample_rate * speed, self._sample_rate)
        if draws.random() < config.gain_probability:
            chunk = chunk * np.float32(10 ** (draws.uniform(-GAIN_DB, GAIN_DB) / 20))
        return chunk


def usual() -> None:
    with sounds(50, 5.0) as (folder, report):
        for what, settings, augments, least in (
            ("both augmented", {}, True, 3),
            ("both augmented, plain convolutional model", PLAIN, True, 3),
            ("ours augmented, the usual not", {}, False, None),
            ("the same, plain convolutional model", PLAIN, False, None),
        ):
            with Engine(folder, report, settings) as engine:
                ratio = relative_to_usual(engine, augments)
            text = f"(b) steps a second relative to a DataLoader's with {WORKERS} workers, {what}"
            at_least(text, ratio, least) if least else print_row(text, ratio)


def relative_to_usual(engine: Engine, augments: bool) -> float:
    """Turns of an epoch of the usual way and as many steps of ours."""
    dataset = UsualDataset(engine.folder, engine.report, augments)
    count = BATCH * min(max(len(dataset) // BATCH, 1), LARGEST_USUAL_EPOCH)
    sampler = torch.utils.data.RandomSampler(dataset, replacement=True, num_samples=count)
    loader = torch.utils.data.DataLoader(dataset, BATCH, sampler=sampler, num_workers=WORKERS)
    bare = BareStep(engine)

    def usual_epoch() -> None:
        for log_mel in loader:
            bare.take(log_mel.to(engine.device)).item()

    ours_s, usual_s = medians(USUAL_EPOCHS, lambda: take_steps(engine, len(loader)), usual_epoch)
    return usual_s / ours_s


def take_steps(engine: Engine, count: int) -> None:
    for _ in range(count):
        engine.trainer.train_step()
    engine.trainer.steps.flush()  # a host sync


# -- (g) --------------------------------------------------------------------------------------------------


def extras() -> None:
    """What previews and checkpoints take, in their share of the epochs."""
    for count, duration_s in ((5, 0.5), (5, 5.0), (50, 5.0), (500, 0.5), (5000, 0.5)):
        with sounds(count, duration_s) as (folder, report):
            share_of_extras(folder, report, f"{count} files of {duration_s:g} s")


def share_of_extras(folder: Path, report: ScanReport, what: str, device: torch.device = CPU) -> None:
    at_once = 1 if device == CPU else STEPS  # a GPU is asked after so many
    preset = find_preset(report.suggested_preset).config()
    settings: dict[str, SettingValue] = {
        name: getattr(preset, name) for name in ("augmentation_expansion", "epochs")
    }
    with Engine(folder, report, {**settings, "batch_size": None}, device) as engine:
        trainer, config = engine.trainer, engine.manifest.config
        writer, previewer = trainer.writer, trainer.previewer
        trainer.render_previews()  # of epoch 0, with the clip itself, which comes once
        previewer.finish()
        trainer.progress.step = engine.manifest.steps_per_epoch

        def step() -> float:
            return seconds(lambda: take_steps(engine, at_once)) / at_once

        alone_s = statistics.median(step() for _ in range(EXTRAS))

        def preview() -> float:
            trainer.task.validate(
                trainer.state.ema_model, 1, lambda _: False
            )  # comes before a preview anyway
            return lost_by(trainer, alone_s, trainer.render_previews, lambda: previewer.is_rendering)

        def best() -> float:
            return seconds(lambda: writer.keep_best(trainer.snapshot(), 1, trainer.progress.step))

        def save() -> float:  # the best state too
            return lost_by(trainer, alone_s, lambda: trainer.save("interval"), lambda: writer.is_writing)

        step_s, preview_s, best_s, save_s = in_turn(statistics.median, EXTRAS, step, preview, best, save)
        epoch_s = engine.manifest.steps_per_epoch * step_s
    share = (preview_s / config.preview_interval + save_s / config.checkpoint_interval + best_s) / epoch_s
    print_row(f"(g) a preview of all kinds takes so many steps, {what}", preview_s / step_s)
    print_row(f"(g) a checkpoint takes so many steps, {what}", save_s / step_s)
    at_most(f"(g) previews and checkpoints, per cent of training time, {what}", 100 * share, 3)


def lost_by(
    trainer: Trainer, step_s: float, begin: Callable[[], object], is_running: Callable[[], bool]
) -> float:
    """Seconds until what begins is over, less what as many steps take alone as are taken meanwhile."""
    started_s, steps = time.perf_counter(), 0
    begin()
    while is_running():
        trainer.train_step()
        steps += 1
        trainer.writer.collect()
        trainer.previewer.collect()
    trainer.steps.flush()  # a host sync
    return time.perf_counter() - started_s - steps * step_s


# -- (h) --------------------------------------------------------------------------------------------------


def growth() -> None:
    """Steps of four datasets in turn, and what else may grow with them."""
    memory = []

    def remember(count: int) -> None:
        memory.append((count, psutil.Process().memory_info().rss / 1e6))

    at_most(
        "(h) slowest step relative to the fastest, 5 to 5 000 files",
        slowest_to_fastest(CPU, 1, remember),
        1.1,
    )
    for count, used in memory:
        print_row(f"(h) memory of the process with those up to {count} files too, MB", used)
    for count in COUNTS:
        with sounds(count, 0.5) as (folder, report):
            settings: dict[str, SettingValue] = {"augmentation_expansion": 100}
            ratio = relative_to_bare(folder, report, settings, 1)
            print_row(f"(h) (a) steps relative to the bare step's, {count} files", ratio)
            with Engine(folder, report, settings) as engine:
                ratio = relative_to_usual(engine, augments=True)
                print_row(f"(h) (b) steps relative to a DataLoader's, both augmented, {count} files", ratio)
            print_start(folder, count)


def slowest_to_fastest(device: torch.device, at_once: int, loaded: Callable[[int], None]) -> float:
    """How much longer steps take with one number of files than with another; `loaded` gets each."""
    with contextlib.ExitStack() as stack:
        engines = []
        for count in COUNTS:
            folder, report = stack.enter_context(sounds(count, 0.5))
            engine = Engine(folder, report, {"augmentation_expansion": 100}, device)
            engines.append(stack.enter_context(engine))
            loaded(count)
        turns = (lambda engine=engine: take_steps(engine, at_once) for engine in engines)
        times = medians(STEPS // 2, *turns)
    return max(times) / min(times)
