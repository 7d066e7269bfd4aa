"""Small runs that faults are tried on."""

import json
import tarfile
from functools import partial
from pathlib import Path

from core.config import TrainingConfig
from core.data.report import ScanReport
from core.data.scan import scan
from core.events import StepFinished
from core.runs import RunDirectory, RunManifest
from core.training.control import Control
from core.training.run import train_run
from tests.faults.child import run_forked
from tests.settings import TINY
from tests.sounds import write_tone

OLD_RUN = Path(__file__).parents[1] / "data" / "run-of-format-3.tar.xz"
STOPPED, HEALTHY = "stopped", "healthy"


def write_sounds(folder: Path) -> Path:
    folder.mkdir()
    for index in range(5):
        write_tone(folder / f"tone-{index}.wav", 110.0 * (index + 1), 0.5)
    return folder


def make_bases(folder: Path) -> list[Path]:
    """Runs to begin with: one of an earlier format, one stopped shortly before its end, a finished one."""
    with tarfile.open(OLD_RUN) as archive:
        archive.extractall(folder / "old", filter="data")
    old = (folder / "old" / "run").rename(folder / "old" / "format-3")
    record = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps({**record, "folder": str(folder / "old" / "sounds")}))
    sounds = write_sounds(folder / "sounds")
    config = TrainingConfig().with_settings(TINY)
    *_, report = scan(sounds, config.chunk_duration_s)
    assert isinstance(report, ScanReport)
    manifest = RunManifest.from_scan(report, "balanced", config)
    stopped = RunDirectory.create(folder / "bases", STOPPED, manifest)
    finished = RunDirectory.create(folder / "bases", HEALTHY, manifest)
    for run, last_step in ((stopped, manifest.total_steps - 1), (finished, None)):
        assert run_forked(partial(_train, run, last_step), 600.0).status == 0
    return [old, stopped.path, finished.path]


def _train(run: RunDirectory, last_step: int | None) -> int:
    control = Control(run.requests)

    def listen(event: object) -> None:
        if isinstance(event, StepFinished) and event.step == last_step:
            control.save()
            control.cancel()

    train_run(run, "cpu", control, listen)
    return 0
