"""celsa: sparse item embeddings learned from interactions. `import celsa_lib as cl`."""

from celsa_lib.data import (
    Dataset,
    dataset_info,
    datasets,
    load_dataset,
    load_interactions,
    make_synthetic,
)
from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.errors import CelsaError
from celsa_lib.evaluation import Evaluation, evaluate, paired_difference
from celsa_lib.models import (
    EASE,
    ELSA,
    CompressedELSA,
    Popularity,
    PrunedEASE,
    SparseAutoencoderELSA,
)
from celsa_lib.segments import Segmentation, segment_items
from celsa_lib.split import Split, holdout_folds, split_users

__version__ = "0.1.0"

__all__ = [
    "EASE",
    "ELSA",
    "CelsaError",
    "CompressedELSA",
    "Dataset",
    "Evaluation",
    "ItemEmbeddings",
    "Popularity",
    "PrunedEASE",
    "Segmentation",
    "SparseAutoencoderELSA",
    "Split",
    "dataset_info",
    "datasets",
    "evaluate",
    "holdout_folds",
    "load_dataset",
    "load_interactions",
    "make_synthetic",
    "paired_difference",
    "segment_items",
    "split_users",
]
