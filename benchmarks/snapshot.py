"""What a snapshot of a run's state takes from the training thread, by the number of epochs behind it.

Weights take the same time however long the run is; what could grow is the history of its epochs.

    python benchmarks/snapshot.py
"""

import statistics
import time

from core.checkpoints.archive import serialise, snapshot
from core.diagnostics.overfitting import OverfittingDetector

EPOCHS = 20, 200, 2_000, 50_000
REPEATS = 50


def main() -> None:
    print("| epochs | snapshot of what is kept of them, ms | its size in a checkpoint, kB |\n|---|---|---|")
    for count in EPOCHS:
        detector = OverfittingDetector(validation_files=3)
        for epoch in range(1, count + 1):
            detector.update(epoch, 1 / epoch, 0.3)
        times_s = []
        for _ in range(REPEATS):
            started_s = time.perf_counter()
            copied = snapshot(detector.state_dict())
            times_s.append(time.perf_counter() - started_s)
        size_kb = len(serialise(copied)) / 1e3
        print(f"| {count} | {1e3 * statistics.median(times_s):.3f} | {size_kb:.1f} |", flush=True)


if __name__ == "__main__":
    main()
