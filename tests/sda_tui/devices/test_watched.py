"""What is measured while a run trains, and when that changes."""

from core.events import StateChanged
from core.runs import RunHistory
from sda_tui.devices.watched import RunWatch, Watched
from tests.conftest import MakeRun


def test_the_device_is_watched_that_the_log_names_once_training_begins(make_run: MakeRun) -> None:
    run, history = make_run("drums-001"), RunHistory()
    seen: list[Watched] = []
    watch = RunWatch(run, seen.append)
    run.lock.acquire()
    try:
        watch.update(history, is_active=True)
        history.apply(StateChanged("training", 0, 0, 16, 2, device="cuda:1", gpu_uuid="GPU-1"), 0.0)
        watch.update(history, is_active=True)
        watch.update(history, is_active=True)
    finally:
        run.lock.release()
    watch.update(history, is_active=False)
    assert [(each.device, each.gpu_uuid) for each in seen] == [("", ""), ("cuda:1", "GPU-1"), ("", "")]
    assert seen[1].pid is not None
    assert seen[2].problem == "No process trains this run now."
