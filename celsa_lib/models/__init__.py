"""The paper's model and its baselines, behind one protocol (`Recommender`); `registry` lists them.

Each is imported where it is first used: the registry alone needs neither torch nor NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["EmbeddingRecommender", "Recommender"],
        "compressed": ["CompressedELSA"],
        "ease": ["EASE", "PrunedEASE"],
        "elsa": ["ELSA"],
        "popularity": ["Popularity"],
        "registry": ["METHODS", "Method"],
        "sae": ["SparseAutoencoderELSA"],
        "schedules": ["SCHEDULES", "make_schedule"],
    },
)
