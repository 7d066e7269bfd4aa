"""Encoder and decoder as files that other programs run: ONNX, and torch.export programs."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.config import missing_packages
from core.errors import ExportError
from core.synthesis.export.facts import FACTS_FILE, network_facts
from core.synthesis.export.networks import Decoder, Encoder
from core.synthesis.export.source import ModelSource
from core.targets import check_target, write_target

ONNX_SUFFIX, PROGRAM_SUFFIX = ".onnx", ".pt2"
EXAMPLES = 2  # of a batch of 1 torch.export makes a constant


@dataclass(frozen=True)
class Network:
    """A network, an example of its input, and the names of input and outputs."""

    name: str
    module: nn.Module
    example: Tensor
    input: str
    outputs: tuple[str, ...]


def networks_of(source: ModelSource, precision: torch.dtype) -> tuple[Network, Network]:
    """Encoder and decoder of a model, for any number of sounds at a time.

    `precision` is that of the encoder's Fourier transform.
    """
    bundle = source.bundle
    waveform = torch.zeros(EXAMPLES, bundle.chunk_samples)
    latent = torch.zeros(EXAMPLES, bundle.latents.means.shape[1])
    # eval() of the outermost module: an exporter restores the mode of what it is given, in all parts of it.
    encoder, decoder = Encoder(bundle, precision).eval(), Decoder(bundle).eval()
    return (
        Network("encoder", encoder, waveform, "waveform", ("latent",)),
        Network("decoder", decoder, latent, "latent", ("log_mel", "mel_power")),
    )


def write_onnx(start: Path | str, source: ModelSource, *, overwrite: bool = False) -> list[Path]:
    """Write two ONNX files, each with its weights inside, and return their paths.

    Their names are that of `start`, followed by `encoder.onnx` and `decoder.onnx`; `Encoder` and `Decoder`
    say what goes in and comes out.  Raises ExportError if packages are missing, or the files cannot be
    written, or are there and may not be overwritten.
    """
    if missing := missing_packages("onnx"):
        raise ExportError(
            f"ONNX needs {' and '.join(missing)}, which the extra `export` of sda-tui installs: "
            f"pip install {' '.join(missing)}."
        )
    facts = network_facts(source)
    # onnxruntime's transform of float32 is so inexact that latents of real sounds are off by 1.3e-4.
    networks = networks_of(source, torch.float64)

    def convert(network: Network) -> bytes:
        converted = torch.onnx.export(
            network.module,
            (network.example,),
            dynamo=True,
            input_names=[network.input],
            output_names=network.outputs,
            dynamic_shapes=(_any_batch(),),
            verbose=False,
        )
        assert converted is not None
        model = converted.model_proto
        for name, value in facts.items():
            model.metadata_props.add(key=name, value=value)
        data: bytes = model.SerializeToString()
        return data

    return _write_all(Path(start), ONNX_SUFFIX, networks, convert, overwrite)


def write_programs(start: Path | str, source: ModelSource, *, overwrite: bool = False) -> list[Path]:
    """Write two files that `torch.export.load` opens, and return their paths.

    As `write_onnx`, with names that end with `encoder.pt2` and `decoder.pt2`.
    """
    facts = json.dumps(dict(network_facts(source)), indent=1)
    networks = networks_of(source, torch.float32)

    def convert(network: Network) -> bytes:
        program = torch.export.export(network.module, (network.example,), dynamic_shapes=(_any_batch(),))
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files={FACTS_FILE: facts})
        return buffer.getvalue()

    return _write_all(Path(start), PROGRAM_SUFFIX, networks, convert, overwrite)


def _any_batch() -> dict[int, Any]:
    return {0: torch.export.Dim("batch")}


def _write_all(
    start: Path,
    suffix: str,
    networks: Sequence[Network],
    convert: Callable[[Network], bytes],
    overwrite: bool,
) -> list[Path]:
    """Write networks to paths that begin with `start`."""
    paths = [start.with_name(f"{start.name}{network.name}{suffix}") for network in networks]
    for path in paths:
        check_target(path, overwrite)  # before the work, which takes half a minute
    written = []
    for path, network in zip(paths, networks, strict=True):
        with _quiet(), torch.no_grad():
            data = convert(network)
        written.append(write_target(path, data, overwrite))
    return written


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' remarks on packages that they miss and on deprecated calls of their own."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
