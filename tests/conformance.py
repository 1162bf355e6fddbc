"""What the tests that run against every method make of the registry: models that fit in no time."""

import inspect

from celsa_lib.models import registry
from celsa_lib.models.registry import RECOMMENDED_RECIPE, Method


def methods_here() -> list[Method]:
    """Methods of the registry with a class that needs no package of its own."""
    return [method for method in registry.METHODS if method.location and not method.package]


def parameters_of(method: Method, **small) -> dict:
    """Those of the values `small` that its class has and no recipe decides; no progress bar."""
    names = set(inspect.signature(method.load()).parameters)
    if method.fixed == RECOMMENDED_RECIPE:
        names -= {"epochs", "batch_size"}
        if method.name == "CompressedELSA":
            names.remove("width")  # that of anchored rows is the number of items
    return {name: value for name, value in (small | {"progress": False}).items() if name in names}
