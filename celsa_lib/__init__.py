"""celsa: sparse item embeddings learned from interactions. `import celsa_lib as cl`.

What a name needs is imported when it is first used, so that the package itself loads at once.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["data", "models", "report", "training"],
    submod_attrs={
        "data": [
            "Dataset",
            "dataset_info",
            "datasets",
            "load_dataset",
            "load_interactions",
            "make_synthetic",
        ],
        "embeddings": ["ItemEmbeddings", "PackedEmbeddings"],
        "errors": ["CelsaError"],
        "evaluation": ["Evaluation", "evaluate", "paired_difference"],
        "models": [
            "EASE",
            "ELSA",
            "CompressedELSA",
            "Popularity",
            "PrunedEASE",
            "SparseAutoencoderELSA",
            "with_new_items",
        ],
        "segments": ["Segmentation", "segment_items"],
        "shipped": ["goodbooks_rows"],
        "split": ["Split", "TimeSplit", "holdout_folds", "split_by_time", "split_users"],
    },
)
