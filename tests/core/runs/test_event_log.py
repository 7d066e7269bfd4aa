"""Following a log while it grows, and cutting it back."""

from pathlib import Path

from core.events import StepFinished, Warned, WarningKind, to_json
from core.runs import EventFollower, EventLog, RunHistory
from core.runs.event_log import keep_events


def step(number: int, loss: float | None = 1.0) -> StepFinished:
    return StepFinished(1, number, 100, loss, 1e-3, 0.1, 0.5, {"reconstruction_loss": loss})


def numbers(follower: EventFollower) -> list[int]:
    return [event.step for event, _ in follower.poll() if isinstance(event, StepFinished)]


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_follower_returns_each_event_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    follower = EventFollower(path)
    assert numbers(follower) == []
    append(path, to_json(step(1), 0.0) + "\n" + to_json(step(2), 0.0) + "\n")
    assert numbers(follower) == [1, 2]
    assert numbers(follower) == []
    append(path, to_json(step(3), 0.0) + "\n")
    assert numbers(follower) == [3]
    follower.close()


def test_a_partly_written_line_is_read_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = to_json(step(1), 0.0) + "\n"
    follower = EventFollower(path)
    append(path, line[:30])
    assert numbers(follower) == []
    append(path, line[30:])
    assert numbers(follower) == [1]


def test_a_damaged_line_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, "\x00garbage\n" + to_json(step(1), 0.0) + "\n")
    assert numbers(EventFollower(path)) == [1]


def test_a_truncated_log_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    for number in (1, 2, 3):
        log.append(step(number))
    log.append(Warned(WarningKind.DISK, "Full.", 1))
    follower = EventFollower(path)
    assert numbers(follower) == [1, 2, 3]
    log.keep(lambda event: not isinstance(event, StepFinished) or event.step <= 1)
    log.append(step(2))
    log.close()
    assert numbers(follower) == [1, 2]
    assert follower.generation == 1


def test_truncation_drops_an_unfinished_line_and_keeps_a_good_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, to_json(step(1), 0.0) + "\n")
    before = path.stat().st_ino
    keep_events(path, lambda event: True)
    assert path.stat().st_ino == before
    append(path, '{"event":"step","ti')
    keep_events(path, lambda event: True)
    assert path.read_text() == to_json(step(1), 0.0) + "\n"


def test_a_long_log_is_read_in_several_polls(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, "".join(to_json(step(number), 0.0) + "\n" for number in range(5000)))
    follower = EventFollower(path)
    found = [event.step for event, _ in follower.poll(limit_s=1e-9) if isinstance(event, StepFinished)]
    assert not follower.has_caught_up
    while not follower.has_caught_up:
        found += numbers(follower)
    assert found == list(range(5000))


def test_history_keeps_only_losses_that_can_be_drawn() -> None:
    history = RunHistory()
    for number, loss in enumerate((1.0, None, float("nan"), 0.5), 1):
        history.apply(step(number, loss), 10.0 + number)
    assert list(history.newest_losses) == [1.0, 0.5]
    assert history.step_metrics["reconstruction_loss"].points(9) == [(1, 1.0), (4, 0.5)]
    assert history.step == 4
    assert history.steps_per_s == 2.0


def test_history_clears_a_resolved_warning() -> None:
    history = RunHistory()
    history.apply(Warned(WarningKind.OVERFITTING, "Overfitting.", 1), 0.0)
    assert list(history.warnings) == ["overfitting"]
    history.apply(Warned(WarningKind.OVERFITTING, "", 2), 0.0)
    assert not history.warnings


def test_a_log_that_is_gone_is_reported_until_it_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    follower = EventFollower(path)
    assert numbers(follower) == []
    assert not follower.problem
    append(path, to_json(step(1), 0.0) + "\n")
    assert numbers(follower) == [1]
    path.rename(tmp_path / "elsewhere")
    assert numbers(follower) == []
    assert "deleted, renamed or moved" in follower.problem
    (tmp_path / "elsewhere").rename(path)
    assert numbers(follower) == []
    assert not follower.problem


def test_a_log_that_another_program_made_shorter_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, to_json(step(1), 0.0) + "\n" + to_json(step(2), 0.0) + "\n")
    follower = EventFollower(path)
    assert numbers(follower) == [1, 2]
    path.write_text(to_json(step(5), 0.0) + "\n")
    assert numbers(follower) == [5]
    assert follower.generation == 1
