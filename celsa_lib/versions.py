"""Versions of what decides numbers, without importing any of it."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "numpy", "scipy", "pandas", "numba", "celsa")


def versions(*more: str) -> dict[str, str]:
    """Versions of python, of the packages that decide numbers, and of `more`."""
    return {"python": platform.python_version()} | {p: _version(p) for p in (*PACKAGES, *more)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
