"""What this machine computes on."""

import sys


def has_gpu() -> bool:
    """Whether a CUDA GPU is there; torch is not loaded for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available()
