"""The paper's model and its baselines, behind one protocol (`Recommender`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["EmbeddingRecommender", "Recommender"],
        "compressed": ["CompressedELSA"],
        "ease": ["EASE", "EDLAE"],
        "elsa": ["ELSA"],
        "pruned": ["PackedWeights", "PrunedEASE", "PrunedEDLAE", "SparseMRF"],
        "popularity": ["Popularity"],
        "registry": ["METHODS", "Method", "by_label", "by_name"],
        "sae": ["SparseAutoencoderELSA"],
        "sansa": ["SANSA"],
        "schedules": ["SCHEDULES", "make_schedule"],
    },
)
