"""Data: what each dataset is, how it gets here, and how it becomes a binary matrix.

registry → download → readers, netflix → interactions → Dataset; synthetic plants its own.
"""

from celsa_lib.data.dataset import Dataset, SyntheticTruth
from celsa_lib.data.download import fetch_dataset, locate
from celsa_lib.data.goodbooks import GoodbooksTestUsers, load_goodbooks_test_users
from celsa_lib.data.interactions import load_interactions
from celsa_lib.data.load import files_checksum, load_dataset
from celsa_lib.data.registry import DatasetInfo, dataset_info, datasets
from celsa_lib.data.synthetic import make_synthetic

__all__ = [
    "Dataset",
    "DatasetInfo",
    "GoodbooksTestUsers",
    "SyntheticTruth",
    "dataset_info",
    "datasets",
    "fetch_dataset",
    "files_checksum",
    "load_dataset",
    "load_goodbooks_test_users",
    "load_interactions",
    "locate",
    "make_synthetic",
]
