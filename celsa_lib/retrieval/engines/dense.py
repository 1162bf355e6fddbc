"""Engines for dense rows: faiss and usearch. Sparse rows are written out, 4·width bytes each."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.retrieval.engines.base import EFFORT, MemoryEngine, as_answer

DEGREE = 32  # of a row in the graph
LATENTS_OF_A_CODE, CODE_BITS = 8, 8
TRAINED_ON, ROUNDS = 20_000, 8  # rows at most, and times that centres are moved


class FaissFlatEngine(MemoryEngine):
    """Every product, one after the other."""

    def build(self, rows):
        from faiss import IndexFlatIP

        self._index = IndexFlatIP(self.width)
        self._index.add(rows.toarray())

    def ask(self, latents, n, out, only):
        scores, numbers = self._index.search(latents.toarray(), n)
        found = numbers[0] >= 0
        return as_answer(numbers[0][found], scores[0][found])


class FaissGraphEngine(FaissFlatEngine):
    """A graph (HNSW) by inner product."""

    def build(self, rows):
        from faiss import METRIC_INNER_PRODUCT, IndexHNSWFlat

        self._index = IndexHNSWFlat(self.width, DEGREE, METRIC_INNER_PRODUCT)
        self._index.add(rows.toarray())

    def ask(self, latents, n, out, only):
        self._index.hnsw.efSearch = max(EFFORT, 2 * n)
        return super().ask(latents, n, out, only)


class FaissCodesEngine(FaissFlatEngine):
    """A byte for every few latents (product quantisation); every row's bytes are looked at."""

    def build(self, rows):
        from faiss import METRIC_INNER_PRODUCT, IndexPQ

        self._codes = -(-self.width // LATENTS_OF_A_CODE)
        dense = self._filled_up(rows)
        index = IndexPQ(dense.shape[1], self._codes, CODE_BITS, METRIC_INNER_PRODUCT)
        index.pq.cp.niter, index.pq.cp.min_points_per_centroid = ROUNDS, 1
        if len(dense):
            some = dense[:: -(-len(dense) // TRAINED_ON)]
            least = max(len(some), 2**CODE_BITS)  # as many as there are centres
            index.train(np.resize(some, (least, dense.shape[1])))
            index.add(dense)
        self._index = index

    def ask(self, latents, n, out, only):
        scores, numbers = self._index.search(self._filled_up(latents), n)
        return as_answer(numbers[0], scores[0])

    def _filled_up(self, rows: csr_matrix) -> np.ndarray:
        """Rows written out, with zeros until every code has as many latents."""
        room = self._codes * LATENTS_OF_A_CODE - self.width
        return np.pad(rows.toarray(), ((0, 0), (0, room)))


class UsearchEngine(MemoryEngine):
    """A graph (HNSW) by inner product."""

    def build(self, rows):
        from usearch.index import Index, MetricKind

        self._index = Index(
            ndim=self.width, metric=MetricKind.IP, dtype="f32", expansion_search=EFFORT
        )
        if rows.shape[0]:
            self._index.add(np.arange(rows.shape[0]), rows.toarray(), threads=1)

    def ask(self, latents, n, out, only):
        self._index.expansion_search = max(EFFORT, 2 * n)
        found = self._index.search(latents.toarray()[0], n, threads=1)
        return as_answer(found.keys, 1 - found.distances)
