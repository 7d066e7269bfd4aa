"""What a request for sounds comes to: each sound with its name, number and how to get its spectrogram."""

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from core.checkpoints.bundle_file import Provenance
from core.config import (
    ExploreSettings,
    GenerateSettings,
    JourneySettings,
    MakingRequest,
    MorphSettings,
    VarySettings,
)
from core.errors import SourceError
from core.files import list_names
from core.paths import expand
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.encoded import EncodedSound, draw_sound, interpolate, vary, wander
from core.synthesis.long import frames_of, glide
from core.synthesis.morph import Recording, morph
from core.synthesis.sources import NUMBERED, read_source
from core.synthesis.space import LatentSpace
from core.text import printable

LONGEST_PART = 60  # bytes of a run's or a source's name in the name of a file
SEEDS = 10_000  # one of which is taken if none is given: short in the names of files

Cancel = Callable[[], bool]


@dataclass(frozen=True)
class ShortSound:
    """A sound no longer than a chunk; `number`, from 1 on, is its place in the series.

    `length_samples` is given where it does not follow from the sound.
    """

    name: str
    number: int
    seed: int
    encode: Callable[[], EncodedSound]
    length_samples: int | None = None


@dataclass(frozen=True)
class LongSound:
    """A sound of any length: its spectrogram in pieces [mels, any], and `gain`, which is taken back."""

    name: str
    number: int
    seed: int
    samples: int
    pieces: Callable[[], Iterator[Tensor]]
    gain: float


Sound = ShortSound | LongSound


def resolve_seed(request: MakingRequest, folder: Path) -> MakingRequest:
    """The same request with a seed: one that no name in the folder has, if none was given."""
    settings = request.settings
    if settings.values()["seed"] is not None:
        return request
    taken = {int(match[1]) for name in list_names(folder, is_run=True) if (match := _SEED.search(name))}
    free = [seed for seed in range(SEEDS) if seed not in taken] or range(SEEDS)
    return replace(request, settings=replace(settings, seed=random.choice(free)))  # type: ignore[call-arg]


_SEED = re.compile(r"-s(\d{1,10})[-.]")


def plan(
    bundle: ModelBundle,
    request: MakingRequest,
    cancelled: Cancel,
    notify: Callable[[str], object] = lambda _: None,
) -> Sequence[Sound]:
    """The sounds of a request whose seed is set.  Raises SourceError, Cancelled."""
    if request.checkpoint_sha256 not in ("", bundle.provenance.checkpoint_sha256):
        raise SourceError("It was made with another checkpoint; name that one, or the run that it is of.")
    if request.has_sounds not in (None, bundle.latents.sounds is not None):
        kept = "with" if request.has_sounds else "without"
        raise SourceError(f"It was made by a model {kept} its training sounds, and this one is not so.")
    sounds = _plan_all(bundle, request, cancelled, notify)
    if not request.only:
        return sounds
    wanted = [sound for sound in sounds if sound.name == request.only]
    if not wanted:
        raise SourceError(f"There is no sound {printable(request.only)} among those of these settings.")
    return [_cut(wanted[0], request.cut_s, bundle.spectrogram.sample_rate)]


def _cut(sound: Sound, seconds: float | None, sample_rate: int) -> Sound:
    """A long sound up to where it was cut short, if it was."""
    if seconds is None or isinstance(sound, ShortSound):
        return sound
    return replace(sound, samples=min(sound.samples, round(seconds * sample_rate)))


def _plan_all(
    bundle: ModelBundle, request: MakingRequest, cancelled: Cancel, notify: Callable[[str], object]
) -> Sequence[Sound]:
    match request.settings:
        case GenerateSettings() as settings:
            return _plan_new(bundle, settings, cancelled)
        case VarySettings() as settings:
            return _plan_variations(bundle, settings, request.sources, cancelled)
        case JourneySettings() as settings:
            return _plan_journey(bundle, settings, request.sources, cancelled)
        case MorphSettings() as settings:
            return _plan_morph(bundle, settings, request, cancelled, notify)
        case ExploreSettings() as settings:
            return _plan_explored(bundle, settings)
    raise ValueError(f"{request.settings.kind} makes no sounds")


def _plan_new(bundle: ModelBundle, settings: GenerateSettings, cancelled: Cancel) -> Sequence[Sound]:
    seed = settings.seed or 0
    numbers = range(settings.first, settings.first + settings.count)
    prefix = f"{_prefix(bundle.provenance)}-s{seed}"
    draw = partial(draw_sound, temperature=settings.temperature, detail=settings.detail)
    samples = round(settings.seconds * bundle.spectrogram.sample_rate) if settings.seconds else None
    if samples is None or samples <= bundle.chunk_samples:
        return [
            ShortSound(
                f"{prefix}-{number:03}", number, seed, partial(draw, bundle, seed, number - 1), samples
            )
            for number in numbers
        ]

    def walk(number: int) -> Iterator[Tensor]:
        first = draw(bundle, seed, number - 1)
        draws = generator(seed, "walk", number)
        source = first.near if first.source is None else first.source
        waypoints = wander(bundle, source, draws, settings.temperature, settings.detail)
        width = bundle.model.config.n_frames
        return glide(bundle, _after(first, waypoints), width, frames_of(bundle, samples), cancelled)

    gain = bundle.level.gain
    return [
        LongSound(f"{prefix}-{number:03}", number, seed, samples, partial(walk, number), gain)
        for number in numbers
    ]


def _plan_variations(
    bundle: ModelBundle, settings: VarySettings, sources: Sequence[str], cancelled: Cancel
) -> Sequence[Sound]:
    sounds = list[Sound]()
    seed = settings.seed or 0
    prefix = _prefix(bundle.provenance)
    for text, stem in zip(sources, _stems(sources, prefix), strict=True):
        source = read_source(bundle, text, cancelled)
        stem = f"{prefix}-{stem}-s{seed}"
        for number in range(settings.first, settings.first + settings.count):
            draws = generator(seed, "vary", number)
            encode = partial(vary, bundle, source, settings.amount, draws)
            sounds.append(ShortSound(f"{stem}-{number:03}", number, seed, encode))
    return sounds


def _plan_journey(
    bundle: ModelBundle, settings: JourneySettings, sources: Sequence[str], cancelled: Cancel
) -> Sequence[Sound]:
    seed = settings.seed or 0
    if len(sources) == 1:
        raise SourceError(
            "A journey goes between two or more sounds, or, without any, among those of the run."
        )
    name = f"{_prefix(bundle.provenance)}-journey-s{seed}"
    samples = round(settings.seconds * bundle.spectrogram.sample_rate)
    waypoints = [_with_detail(read_source(bundle, text, cancelled), settings.detail) for text in sources]
    if settings.steps is not None:
        if not waypoints:
            raise SourceError("Single steps go between two or more sounds; name them.")
        places = [step * (len(waypoints) - 1) / (settings.steps - 1) for step in range(settings.steps)]
        return [
            ShortSound(f"{name}-{1 + step:03}", 1 + step, seed, partial(_on_way, waypoints, place))
            for step, place in enumerate(places)
        ]
    frames = frames_of(bundle, samples)

    def travel() -> Iterator[Tensor]:
        if waypoints:
            on_way = max(1, frames - bundle.model.config.n_frames)  # the last sound is there at its beginning
            return glide(bundle, waypoints, on_way / (len(waypoints) - 1), frames, cancelled)
        rate = bundle.spectrogram.sample_rate / bundle.spectrogram.hop_length
        first = draw_sound(bundle, seed, 0, detail=settings.detail)
        others = wander(bundle, first.near, generator(seed, "walk"), detail=settings.detail)
        return glide(bundle, _after(first, others), settings.every * rate, frames, cancelled)

    return [LongSound(name, 1, seed, samples, travel, bundle.level.gain)]


def _plan_morph(
    bundle: ModelBundle,
    settings: MorphSettings,
    request: MakingRequest,
    cancelled: Cancel,
    notify: Callable[[str], object],
) -> Sequence[Sound]:
    change = None
    for texts, sign in ((request.plus, 1), (request.minus, -1)):
        for text in texts:
            latent = sign * read_source(bundle, text, cancelled).latent
            change = latent if change is None else change + latent
    sounds = list[Sound]()
    digest = _digest(settings.values(), request.plus, request.minus)
    prefix = _prefix(bundle.provenance)
    for text, stem in zip(request.sources, _stems(request.sources, prefix), strict=True):
        recording = Recording.measure(expand(Path(text)), bundle, cancelled, notify)
        name = f"{prefix}-{stem}-morph-{round(100 * settings.amount):03}-{digest}"
        pieces = partial(morph, bundle, recording, settings, change, cancelled)
        sounds.append(LongSound(name, 1, settings.seed, recording.samples, pieces, recording.gain))
    return sounds


def _plan_explored(bundle: ModelBundle, settings: ExploreSettings) -> Sequence[Sound]:
    if settings.base > len(bundle.latents):
        raise SourceError(
            f"There is no training sound #{settings.base}; this model has {len(bundle.latents)}."
        )
    name = f"{_prefix(bundle.provenance)}-near-{settings.base:03}-{_digest(settings.values())}"
    return [ShortSound(name, 1, settings.seed, partial(LatentSpace(bundle).sound, settings))]


def _on_way(waypoints: Sequence[EncodedSound], place: float) -> EncodedSound:
    leg = min(int(place), len(waypoints) - 2)
    return interpolate(waypoints[leg], waypoints[leg + 1], place - leg)


def _after(first: EncodedSound, others: Iterator[EncodedSound]) -> Iterator[EncodedSound]:
    yield first
    yield from others


def _with_detail(sound: EncodedSound, detail: float | None) -> EncodedSound:
    return sound if detail is None else replace(sound, residual=detail * sound.residual, decoded=None)


def _prefix(provenance: Provenance) -> str:
    """Of the names of all sounds from a checkpoint.  A run's name in a bundle may be anything."""
    return f"{_clean(provenance.run) or 'model'}-e{provenance.epoch:04}"


def _digest(*what: object) -> str:
    """A few letters that differ where settings do."""
    return hashlib.blake2b(repr(what).encode("utf-8", "surrogateescape"), digest_size=3).hexdigest()


def _stems(sources: Sequence[str], prefix: str) -> list[str]:
    """Names of sources as parts of the names of files that begin with this prefix, each once."""
    stems = list[str]()
    for source in sources:
        name = source.replace("#", "training-") if NUMBERED.fullmatch(source) else Path(source).stem
        stem = wanted = _clean(name.removeprefix(f"{prefix}-")) or "sound"
        number = 1
        while stem in stems:
            number += 1
            stem = f"{wanted}-{number}"
        stems.append(stem)
    return stems


def _clean(name: str) -> str:
    """A part of the name of a file: letters, digits and a few signs, no longer than so many bytes."""
    plain = re.sub(r"[^\w+.-]+", "-", name).encode("utf-8", "replace")[:LONGEST_PART]
    return plain.decode("utf-8", "ignore").strip("-.")
