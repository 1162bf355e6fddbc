"""Training by gradient: a run through stages, its backends, optimiser and callbacks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "callbacks": ["Callback", "Validation"],
        "checkpoint": ["Checkpoint"],
        "device": ["resolve_device"],
        "loop": ["Run", "Trained"],
        "objective": ["sparsify_rows", "top_k_columns", "top_k_mask", "unit_rows"],
        "options": ["Stage", "TrainingOptions"],
        "rows": ["initial_embeddings"],
    },
)
