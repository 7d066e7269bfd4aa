"""How fast it is, as ratios inside one run: only those say something on a shared machine.

    python benchmarks/speed.py [PART …]

Parts; without any, all of them:
  first    time to the first paint, in a terminal of 120 x 36, relative to that of an empty Textual app; and
           `sda-tui --help` relative to `python -c pass`
  start    scan and decode of 500 stereo files of 5 s at 44.1 kHz, the first time and the second, in a cache
           of its own; and the scan of 5 000 files of 0.5 s, by the file, relative to that of 500 such
  step     training steps a second, headless, relative to those of the bare step: the same network, forward,
           backward, clipping and optimiser on one batch that is there already; ten of each in turn, on 50
           files of 5 s with batches of 32, with the preset's augmentation and without
  usual    the same relative to the usual way: the bare step fed by a DataLoader whose workers decode the file
           of each chunk, resample, augment it (librosa, soxr) and compute its mel spectrogram, its loss read
           every step
  extras   previews and checkpoints as a share of training time, with the suggested preset and its intervals
  gpu      step and usual on a CUDA device, where there is one, and what recording the step gains
  growth   steps with 5 to 5 000 files, one of each in turn; (a), (b) and (f) with as many
  screen   steps a second in the app relative to `sda-tui train`, each of which sleeps while the other works,
           and what the app writes to a terminal over SSH meanwhile
  screens  the same with 5, 500 and 5 000 files
  charts   nine charts of 100 000 steps drawn at 200 x 60, without Textual's compositor
  history  redraws of a chart of a thousand steps and of a million
  sound    from a keypress to the first sample in a null sink of PulseAudio
  listen   training with three pages that listen, relative to none; from a key in the terminal to the sound in
           the page, in Debian's Chromium; what a page with a hundred previews is sent
"""

import argparse
import os
import tempfile
from collections.abc import Callable

from speed_parts.charts import charts, history
from speed_parts.engine import extras, growth, step, usual
from speed_parts.first import first
from speed_parts.gpu import gpu
from speed_parts.listen import listen
from speed_parts.screen import screen, screens
from speed_parts.sound import sound
from speed_parts.start import start

PARTS: dict[str, Callable[[], None]] = {
    part.__name__: part
    for part in (
        first,
        start,
        step,
        usual,
        gpu,
        extras,
        growth,
        screen,
        screens,
        charts,
        history,
        sound,
        listen,
    )
}


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
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        for part in arguments.parts or PARTS:
            PARTS[part]()


if __name__ == "__main__":
    main()
