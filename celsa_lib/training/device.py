"""The one place where a device is chosen."""

import torch

from celsa_lib.errors import ConfigError


def resolve_device(device: str) -> torch.device:
    """The torch device for `device`; "auto" takes a CUDA GPU where there is one, else the CPU.

    Raises ConfigError if torch does not know the name or the device is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f'device "{device}" cannot be used here ({reason}); use "auto" or "cpu"'
        ) from error


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether `device` is a CPU with instructions for products of bfloat16 (AVX-512 or AMX).

    Emulated products would be slower than float32, so unknown means no.
    """
    asks = "_is_avx512_bf16_supported", "_is_amx_tile_supported"
    return device.type == "cpu" and _cpu_says(*asks)


def density_of_dense(bfloat16: bool) -> float:
    """Density of rows up to which a CPU's loops over nonzeros are faster than dense products.

    Measured, see the page "Training cost": with AMX, products of bfloat16 are several times faster.
    """
    return 0.1 if bfloat16 and _cpu_says("_is_amx_tile_supported") else 0.3


def _cpu_says(*asks: str) -> bool:
    return any(getattr(torch.cpu, ask, bool)() for ask in asks)
