"""Sounds that a user names, to be varied or travelled between: files, or training sounds by number."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.audio.offset import find_offset
from core.audio.reader import Decoders, Samples, mono_blocks
from core.config import GenerateSettings, MakingRequest
from core.data.split import QUIETEST_PEAK
from core.errors import AudioFileError, ConfigError, SourceError
from core.paths import expand
from core.records import read_integer
from core.runs.generated import find_provenance, hash_file
from core.synthesis.bundle import ModelBundle
from core.synthesis.encoded import EncodedSound, draw_sound, encode_sound, training_sound
from core.text import printable

LONGEST_S = 600.0
NUMBERED = re.compile(r"#([0-9]{1,9})")  # a training sound, counted from 1


def read_source(bundle: ModelBundle, text: str, cancelled: Callable[[], bool]) -> EncodedSound:
    """The sound of a file, or the training sound `#N`.

    A file that this checkpoint generated is what was drawn then, not what its samples are encoded as.
    Raises SourceError, Cancelled.
    """
    if match := NUMBERED.fullmatch(text):
        number = int(match[1])
        if not 1 <= number <= len(bundle.latents):
            raise SourceError(
                f"There is no training sound #{number}; this model has #1 to #{len(bundle.latents)}."
            )
        return training_sound(bundle, number - 1)
    path = expand(Path(text))
    drawn = _drawn_before(bundle, path)
    if drawn is not None:
        return drawn
    return encode_sound(bundle, read_samples(path, bundle, cancelled), printable(path.name))


def read_samples(path: Path, bundle: ModelBundle, cancelled: Callable[[], bool]) -> Samples:
    """The first ten minutes of a file, mono at the model's rate and without a constant offset.

    Raises SourceError, Cancelled.
    """
    sample_rate = bundle.spectrogram.sample_rate
    blocks, count = list[Samples](), 0
    try:
        with Decoders(cancelled) as decoders, decoders.open(path) as sound:
            for block in mono_blocks(sound, sample_rate):
                blocks.append(block)
                count += len(block)
                if count > LONGEST_S * sample_rate:
                    break
    except AudioFileError as error:
        raise SourceError.of_file(path, str(error)) from error
    offset = find_offset(blocks, sample_rate)
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    samples -= np.float32(offset)
    if np.abs(samples).max(initial=0.0) < QUIETEST_PEAK:
        raise SourceError.of_file(path, "it is silent")
    return samples


def describe_request(request: MakingRequest, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """A request as a provenance line has it; its sounds with a hash of what they are.

    Raises SourceError, Cancelled.
    """
    sounds = {"sources": request.sources, "plus": request.plus, "minus": request.minus}
    return {
        "kind": request.settings.kind,
        "settings": request.settings.values(),
        **{name: [_describe(text, cancelled) for text in texts] for name, texts in sounds.items()},
    }


def _describe(text: str, cancelled: Callable[[], bool]) -> dict[str, str]:
    if NUMBERED.fullmatch(text):
        return {"path": text, "sha256": ""}
    path = expand(Path(text))
    try:
        return {"path": str(path.absolute()), "sha256": hash_file(path, cancelled)}
    except OSError as error:
        raise SourceError.of_file(path, f"it cannot be read ({error.strerror})") from error


def _drawn_before(bundle: ModelBundle, path: Path) -> EncodedSound | None:
    """What this very checkpoint drew, if the file still is what it wrote then."""
    try:
        record = find_provenance(path.absolute())
        if record is None or record["kind"] != GenerateSettings.kind:
            return None
        settings = GenerateSettings(**record["settings"])
        is_whole = settings.seconds is None and record["has_sounds"] == (bundle.latents.sounds is not None)
        is_same = is_whole and record["checkpoint_sha256"] == bundle.provenance.checkpoint_sha256
        if not is_same or record["sha256"] != hash_file(path):
            return None
        number, seed = read_integer(record["number"], 1), read_integer(record["seed"])
    except (ConfigError, KeyError, OSError, TypeError, ValueError):  # whoever wrote that line
        return None
    return draw_sound(bundle, seed, number - 1, settings.temperature, settings.detail)
