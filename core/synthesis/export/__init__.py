"""Models that travel: a bundle file, networks that other programs load, and a card that describes them."""

from core.synthesis.export.bundle import write_bundle
from core.synthesis.export.card import write_card
from core.synthesis.export.nn_tilde import write_nn_tilde
from core.synthesis.export.programs import write_onnx, write_programs
from core.synthesis.export.source import ModelSource, open_source

__all__ = [
    "ModelSource",
    "open_source",
    "write_bundle",
    "write_card",
    "write_nn_tilde",
    "write_onnx",
    "write_programs",
]
