"""The one place where a device is chosen, and where it is said which process may train."""

import os
from contextlib import contextmanager

import torch

from celsa_lib.errors import ConfigError, ProcessError, plainly

_threads_of: list[int] = []  # the process whose threads have trained here


def resolve_device(device: str) -> torch.device:
    """The torch device for `device`; "auto" takes a CUDA GPU where there is one, else the CPU.

    Raises ConfigError, with the devices that are here, for any other.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = devices_here()
    if str(device) not in here:
        possible = ", ".join(f'"{name}"' for name in ("auto", *here))
        raise ConfigError(f"device is {plainly(device)}; on this machine it may be {possible}")
    return torch.device(device)


def devices_here() -> list[str]:
    """Names that `resolve_device` takes here: the CPU, and each accelerator that torch finds."""
    names = ["cpu"]
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
        names += [kind, *(f"{kind}:{n}" for n in range(torch.accelerator.device_count()))]
    return names


def check_process() -> None:
    """Raise ProcessError in a process that was forked from one which has trained.

    Threads do not survive a fork: OpenMP ends such a process, or waits for ever.
    """
    if not _threads_of:
        _threads_of.append(os.getpid())
    if _threads_of[0] != os.getpid():
        raise ProcessError(
            "this process was forked from one that has trained, and cannot train; start it by "
            'multiprocessing.get_context("spawn")'
        )


def device_name(device: torch.device) -> str:
    """What a reader knows `device` by: the GPU's name, or "CPU"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def density_of_dense(precision: str) -> float:
    """Density of rows up to which a CPU's loops over nonzeros are faster than dense products.

    Measured, see the page "Training cost": with AMX, products of bfloat16 are several times faster.
    """
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
    return 0.1 if precision == "bfloat16" and has_amx else 0.3


@contextmanager
def rounded_products(precision: str):
    """Products of float32 as TF32 where that is asked for, and only there."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
