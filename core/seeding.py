"""Random draws as a function of (seed, stream, step): no state to save or restore."""

import hashlib

import torch


def derive_seed(seed: int, stream: str, step: int = 0) -> int:
    """A 63-bit seed for one draw; different streams and steps have unrelated ones."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, stream: str, step: int = 0) -> torch.Generator:
    """A CPU generator for one draw, so that CPU and GPU runs draw the same numbers."""
    return torch.Generator().manual_seed(derive_seed(seed, stream, step))
