"""Data: what each dataset is, how it gets here, and how it becomes a binary matrix.

registry → download → a reader → interactions → Dataset; synthetic plants its own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "crowd": ["Crowd", "fit_curve", "make_crowd"],
        "dataset": ["Dataset", "SyntheticTruth"],
        "download": ["fetch_dataset", "locate"],
        "goodbooks": ["GoodbooksTestUsers", "load_goodbooks_test_users"],
        "interactions": ["load_interactions"],
        "load": ["files_checksum", "load_dataset"],
        "registry": ["DatasetInfo", "dataset_info", "datasets"],
        "synthetic": ["make_synthetic"],
    },
)
