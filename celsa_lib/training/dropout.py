"""Input dropout: which interactions a step hides from the encoder, alike on all devices.

Each is dropped by a hash of its place in X and of the step's seed: no random numbers are stored,
and a CPU and a GPU drop the same ones. The target keeps them (denoising; Steck 2020).
"""

import numpy as np

FIRST, SECOND, STRIDE = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35), np.uint32(0x9E3779B9)


def seeds_of(seed: int, first: int, steps: int) -> np.ndarray:
    """A seed for each of the steps first … first + steps − 1 of training, uint32."""
    own = mixed(np.array([seed % 2**32], np.uint32) ^ STRIDE)
    return mixed(np.arange(first, first + steps).astype(np.uint32) ^ own)


def threshold(rate: float) -> int:
    """What a hash of 24 bits is below with probability `rate`."""
    return round(rate * 2**24)


def dropped(interactions: np.ndarray, seed: int, rate: float) -> np.ndarray:
    """Which of `interactions` (places in X.indices) a step with `seed` drops: boolean."""
    return mixed(interactions.astype(np.uint32) ^ np.uint32(seed)) >> np.uint32(8) < threshold(rate)


def mixed(x: np.ndarray) -> np.ndarray:
    """The finaliser of MurmurHash3 (Appleby, public domain): uint32 → uint32."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint32(16))) * FIRST
        x = (x ^ (x >> np.uint32(13))) * SECOND
        return x ^ (x >> np.uint32(16))
