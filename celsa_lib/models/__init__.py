"""The paper's model and its baselines, behind one protocol (`Recommender`)."""

from celsa_lib.extras import attach
from celsa_lib.models.registry import METHODS as _METHODS


def _names_by_module() -> dict[str, list[str]]:
    """Public names by the module here that has them: every class of the registry, and others."""
    found = {
        "base": ["EmbeddingRecommender", "Recommender"],
        "new_items": ["with_new_items"],
        "pruned": ["PackedWeights"],
        "registry": ["METHODS", "Method", "by_label", "by_name"],
        "schedules": ["SCHEDULES", "make_schedule"],
    }
    for method in _METHODS:
        place, _, name = method.location.partition(":")
        package, _, module = place.rpartition(".")
        if package == __name__ and name not in found.setdefault(module, []):
            found[module].append(name)
    return found


__getattr__, __dir__, __all__ = attach(__name__, _names_by_module(), "train", "models")
