"""Cost of recommending: sparse rows, dense ELSA at equal accuracy and equal bytes, scipy, torch.

Usage: python benchmarks/inference_cost.py [--out results/inference-cost.json] [--rounds 9]
2,500 users × 10,000 items, the 100 best that a user has not seen; all take turns in one process.
"""

import argparse
import time
import warnings
from dataclasses import replace

import numpy as np
import torch
from processes import summary, timed
from scipy.sparse import csr_matrix
from torch.nn import functional
from workload import Case

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.experiments.manifest import new_run
from celsa_lib.results import BENCHMARK, Result, save_result

TOP, USERS_AT_ONCE, SINGLE_USERS = 100, 1_024, 300
GROWTH = (4, 8, 16, 32, 64, 128)


def dense_encoder(A: torch.Tensor):
    """x·A for the rows of X, by torch."""

    def encode(X: csr_matrix) -> torch.Tensor:
        items = torch.from_numpy(X.indices.astype(np.int64))
        starts = torch.from_numpy(X.indptr[:-1].astype(np.int64))
        return functional.embedding_bag(items, A, starts, mode="sum")

    return encode


def best(scores: torch.Tensor, X: csr_matrix) -> torch.Tensor:
    """Items with the highest scores that are not in X."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    scores[torch.from_numpy(rows), torch.from_numpy(X.indices.astype(np.int64))] = -torch.inf
    return torch.topk(scores, TOP).indices


def dense_elsa(width: int, items: int):
    """Dense ELSA in torch."""
    A = functional.normalize(torch.randn(items, width), dim=1)
    encode = dense_encoder(A)
    return lambda X: best(encode(X) @ A.T, X), 4 * width * items


def torch_sparse(matrix: csr_matrix):
    """Sparse rows with torch's CSR product."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "CSR is in beta"
        parts = [torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data)]
        A = torch.sparse_csr_tensor(*parts, size=matrix.shape)
    bytes_ = sum(part.nbytes for part in parts)

    def recommend(X: csr_matrix) -> torch.Tensor:
        encoded = torch.from_numpy((X @ matrix).toarray())
        return best((A @ encoded.T).T.contiguous(), X)

    return recommend, bytes_


def scipy_sparse(matrix: csr_matrix):
    """Sparse rows with scipy's product, users' latents dense."""

    def recommend(X: csr_matrix) -> torch.Tensor:
        scores = np.ascontiguousarray((matrix @ (X @ matrix).toarray().T).T)
        return best(torch.from_numpy(scores), X)

    return recommend, matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes


def ours(matrix: csr_matrix):
    """This library."""
    embeddings = ItemEmbeddings(matrix)
    embeddings.recommend(csr_matrix((1, matrix.shape[0]), dtype=np.float32), TOP)
    index = embeddings._index
    parts = [*index.rows, index.lists.starts, index.lists.entries]
    return lambda X: embeddings.recommend(X, TOP)[0], sum(part.nbytes for part in parts)


def in_batches(recommend, X: csr_matrix, whole: bool) -> None:
    """All users; dense scores only USERS_AT_ONCE at a time."""
    size = X.shape[0] if whole else USERS_AT_ONCE
    for start in range(0, X.shape[0], size):
        recommend(X[start : start + size])


def main() -> None:
    """Measure, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/inference-cost.json")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    start = time.perf_counter()
    case = Case(nnz=16, users=2_500)
    X, matrix = case.interactions(), case.rows().to_csr()
    contenders = {
        "celsa": ours(matrix),
        "dense ELSA, width 3,250": dense_elsa(3_250, case.items),
        "dense ELSA, width 1,024": dense_elsa(1_024, case.items),
        "dense ELSA, width 32 (equal bytes)": dense_elsa(32, case.items),
        "sparse rows, torch CSR": torch_sparse(matrix),
        "sparse rows, scipy": scipy_sparse(matrix),
    }
    batch = {name: [] for name in contenders}
    single = {name: [] for name in contenders}
    users = [X[user] for user in range(SINGLE_USERS)]
    for turn in range(options.rounds + 1):
        for name, (recommend, _) in contenders.items():
            seconds = timed(lambda r=recommend, n=name: in_batches(r, X, whole=n == "celsa"))
            if turn:
                batch[name].append(seconds)
    for name, (recommend, _) in contenders.items():
        for user in users[:20] + users:
            single[name].append(timed(lambda r=recommend, u=user: r(u)))
    rows = []
    for name, (_, bytes_) in contenders.items():
        p50, p99 = np.quantile(single[name][20:], [0.5, 0.99])
        rows.append({
            "section": "inference", "contender": name, **summary(batch[name]),
            "p50": float(f"{p50:.4g}"), "p99": float(f"{p99:.4g}"),
            "model_mib": round(bytes_ / 2**20, 2),
            "scores_mib": round((0 if name == "celsa" else USERS_AT_ONCE * case.items * 4) / 2**20),
        })  # fmt: skip
    for nnz in GROWTH:
        recommend, bytes_ = ours(replace(case, nnz=nnz).rows().to_csr())
        recommend(X)
        times = [timed(lambda run=recommend: run(X)) for _ in range(options.rounds)]
        rows.append({"section": "growth", "contender": "celsa", "nnz": nnz, **summary(times),
                     "model_mib": round(bytes_ / 2**20, 2)})  # fmt: skip
    manifest = {
        "kind": BENCHMARK,
        "what": f"cost of recommending {TOP} of {case.items:,} items to {case.users:,} users, "
        "synthetic interactions",
        "runs": new_run(),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))
    for line in rows[: len(contenders)]:
        print(
            f"{line['contender']:36} {1e3 * line['seconds']:8.1f} ms, "
            f"{line['seconds'] / rows[0]['seconds']:5.1f}× ours; one user "
            f"{1e3 * line['p50']:.2f} ms, p99 {1e3 * line['p99']:.2f}; {line['model_mib']} MiB"
        )


if __name__ == "__main__":
    main()
