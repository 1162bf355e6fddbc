"""Segments of items from sparse latents: grouping, naming, merging, recommending."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "books": ["BOOK_GROUPS", "segment_books"],
        "defaults": ["TAU"],
        "exemplars": ["nearest_exemplars"],
        "grouping": ["Groups", "dominant_latents", "group_embeddings", "group_items"],
        "merging": ["merge_by_activation", "merge_by_name"],
        "naming": [
            "AnswerCache",
            "ChatDescriber",
            "Describer",
            "Label",
            "MajorityDescriber",
            "ReplayDescriber",
            "TfidfDescriber",
        ],
        "pipeline": ["segment_items"],
        "segmentation": ["Segmentation", "segment_matrix"],
        "sentences": ["SentenceEmbedder"],
        "shown": ["in_shown_segments", "shown_segments"],
    },
)
