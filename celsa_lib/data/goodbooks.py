"""The paper's 2,500 Goodbooks test users and the embeddings its authors released."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, load_npz

from celsa_lib.data.checks import reading
from celsa_lib.data.download import data_root
from celsa_lib.data.readers import read_table
from celsa_lib.errors import DataError, DatasetNotFoundError

FOLDER = "goodbooks-10k-test-users"
FILES = (
    "test_users.npz",
    "book_ids.txt",
    "likely_user_ids.csv",
    "released_embeddings_2048_16nnz.npz",
)


@dataclass(frozen=True, eq=False)
class GoodbooksTestUsers:
    """Complete histories of the paper's test users, in the paper's column order.

    `X` (2,500 users × 10,000 books), `item_ids` the book id of each column, `likely_user_ids`
    the most likely Goodbooks user of each row (matched by overlap, about 69 % clear-cut: leave
    all of them out of training), `released` the published embeddings (10,000 × 2,048, 16 nonzeros
    a row, unit rows). Data under CC BY-NC 4.0.
    """

    X: csr_matrix
    item_ids: np.ndarray
    likely_user_ids: np.ndarray
    released: csr_matrix


def load_goodbooks_test_users(data_dir: str | Path | None = None) -> GoodbooksTestUsers:
    """Load `<data_dir or CELSA_DATA>/goodbooks-10k-test-users`.

    Raises DatasetNotFoundError when the folder or a file of it is missing, DataError when a file
    is damaged or the parts do not fit together.
    """
    root = data_root(data_dir)
    if root is None:
        raise DatasetNotFoundError(f"set CELSA_DATA to a folder that holds {FOLDER}/")
    folder = root / FOLDER
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DatasetNotFoundError(f"{folder} lacks {', '.join(missing)}; put them there")
    users, books, likely, released = (folder / name for name in FILES)
    with reading(books):
        item_ids = np.array(books.read_text().split(), dtype=np.int64)
    found = GoodbooksTestUsers(
        X=_load_csr(users),
        item_ids=item_ids,
        likely_user_ids=read_table(likely, ("user_id",))["user_id"].to_numpy(),
        released=_load_csr(released),
    )
    shapes = (found.X.shape, found.released.shape[0])
    if shapes != ((len(found.likely_user_ids), len(item_ids)), len(item_ids)):
        raise DataError(f"{folder}: the files do not fit together {shapes}; fetch them again")
    return found


def _load_csr(path: Path) -> csr_matrix:
    """A SciPy .npz as CSR float32 with sorted indices; a pickle inside is refused."""
    try:
        with reading(path):
            matrix = csr_matrix(load_npz(path)).astype(np.float32)
    except (ValueError, KeyError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is no SciPy sparse matrix ({error}); fetch it again") from error
    matrix.sort_indices()
    return matrix
