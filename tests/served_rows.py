"""Rows that engines are asked about, and what exact search finds in them."""

import numpy as np
from scipy.sparse import csr_matrix

import celsa_lib as cl


def signed_rows(items=300, width=4_096, nnz=16, seed=0, ids=None) -> cl.ItemEmbeddings:
    """Unit rows of random signs."""
    rng = np.random.default_rng(seed)
    columns = np.stack([np.sort(rng.choice(width, nnz, replace=False)) for _ in range(items)])
    values = rng.standard_normal(columns.shape).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    parts = values.ravel(), columns.ravel(), np.arange(items + 1) * nnz
    return cl.ItemEmbeddings(csr_matrix(parts, shape=(items, width)), ids)


def anchored_rows(items=120, most=12, seed=1) -> cl.ItemEmbeddings:
    """Rows as those of the recommended recipe: width = items, of any length and norm, scales."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((items, items), np.float32)
    for item in range(items):
        others = rng.choice(items, rng.integers(0, most), replace=False)
        dense[item, others] = rng.standard_normal(len(others))
        dense[item, item] = rng.uniform(0.5, 1.5)
    ids = np.array([f"item {item}" for item in range(items)])
    return cl.ItemEmbeddings(csr_matrix(dense), ids, input_scales=rng.uniform(0.1, 2, items))


def dense_rows(items=80, width=24, seed=3) -> cl.ItemEmbeddings:
    """Unit rows without a zero, as those of dense ELSA."""
    rows = np.random.default_rng(seed).standard_normal((items, width)).astype(np.float32)
    return cl.ItemEmbeddings(csr_matrix(rows / np.linalg.norm(rows, axis=1, keepdims=True)))


def histories_of(embeddings: cl.ItemEmbeddings, users=5, length=8, seed=2) -> csr_matrix:
    """users × items, binary."""
    rng, items = np.random.default_rng(seed), embeddings.matrix.shape[0]
    seen = [np.sort(rng.choice(items, length, replace=False)) for _ in range(users)]
    ones = np.ones(users * length, np.float32)
    return csr_matrix((ones, np.concatenate(seen), np.arange(users + 1) * length), (users, items))


def best_scores(embeddings, latents, n=10, out=(), only=None) -> np.ndarray:
    """The `n` largest products of `latents` with rows, without rows `out`, or among `only`."""
    scores = (embeddings.matrix.astype(float) @ latents.T.astype(float)).toarray().ravel()
    among = np.arange(len(scores)) if only is None else np.asarray(only)
    return np.sort(scores[np.setdiff1d(among, out)])[::-1][:n]
